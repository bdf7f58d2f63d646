// Numbers and names as people read them.

/** @import {RunSummary, SampleName, Subject} from './types.js' */

const MINUS = '\u2212';

/** @param {number} value */
export function count(value) {
  return value.toLocaleString('en-US');
}

/** @param {number} share */
export function percent(share, digits = 1) {
  return `${(100 * share).toFixed(digits)}\u00a0%`;
}

/** Three significant digits, two of what is tiny; k and M for thousands and millions. @param {number} value */
export function short(value) {
  const size = Math.abs(value);
  let text;
  if (size === 0) text = '0';
  else if (size >= 1e6 && size < 1e12) text = `${(size / 1e6).toFixed(size >= 1e8 ? 0 : size >= 1e7 ? 1 : 2)}M`;
  else if (size >= 1e12 || size < 1e-3) text = size.toExponential(1).replace('e+', 'e');
  else if (size >= 1e4) text = `${(size / 1000).toFixed(size >= 1e5 ? 0 : 1)}k`;
  else if (size >= 1000) text = count(Math.round(size));
  else text = size.toFixed(size >= 100 ? 0 : size >= 10 ? 1 : size >= 1 ? 2 : size >= 0.1 ? 3 : size >= 0.01 ? 4 : 5);
  return (value < 0 ? MINUS : '') + text;
}

/** As short, with its sign. @param {number} value */
export function signed(value) {
  return value > 0 ? `+${short(value)}` : short(value);
}

/** Three significant digits of however small a number. @param {number} value */
export function precise(value) {
  const size = Math.abs(value);
  if (size === 0) return '0';
  return (value < 0 ? MINUS : '') + (size < 1e-3 ? size.toExponential(2) : size < 100 ? size.toPrecision(3) : count(Math.round(size)));
}

/** @param {number} value @param {number} digits */
export function fixed(value, digits) {
  return value.toFixed(digits).replace('-', MINUS);
}

/** @param {RunSummary} run @param {string} dataset @param {number} label */
export function className(run, dataset, label) {
  return run.datasets.find((d) => d.name === dataset)?.classes[label] ?? String(label);
}

/** What an output stands for. @param {RunSummary} run @param {number} output */
export function outputName(run, output) {
  return run.outputs[output] ?? String(output);
}

/** A class by its number over all data sets; with its data set's name where there are several.
 *  @param {RunSummary} run @param {number} number */
export function numberedClass(run, number) {
  const {dataset, label} = classPlace(run, number);
  const name = className(run, dataset, label);
  return run.datasets.length > 1 ? `${name} (${dataset})` : name;
}

/** @param {RunSummary} run @param {number} number @returns {{dataset: string, label: number}} */
export function classPlace(run, number) {
  let label = number;
  for (const dataset of run.datasets) {
    if (label < dataset.classes.length) return {dataset: dataset.name, label};
    label -= dataset.classes.length;
  }
  return {dataset: '', label};
}

/** How many classes there are over all data sets. @param {RunSummary} run */
export function classCount(run) {
  return run.datasets.reduce((sum, dataset) => sum + (dataset.text?.vocabulary ?? dataset.classes.length), 0);
}

/** The place of a sample by its id. @param {RunSummary} run @param {number} id
 *  @returns {{dataset: string, split: string, index: number}} */
export function samplePlace(run, id) {
  for (const dataset of run.datasets)
    for (const [split, {first_sample: first, samples}] of Object.entries(dataset.splits))
      if (id >= first && id < first + samples) return {dataset: dataset.name, split, index: id - first};
  return {dataset: '', split: '', index: id};
}

/** The one name of a sample, in addresses, the API, on the command line and here: test/fashion-mnist/42.
 *  @param {{split: string, dataset: string, index: number}} sample */
export function sampleName({split, dataset, index}) {
  return `${split}/${dataset}/${index}`;
}

/** The name of the sample with an id. @param {RunSummary} run @param {number} id */
export function nameOf(run, id) {
  return sampleName(samplePlace(run, id));
}

/** The custom property with a data set's colour. @param {RunSummary} run @param {string} dataset */
export function datasetColour(run, dataset) {
  return `--d${run.datasets.findIndex((d) => d.name === dataset) % 4}`;
}

/** What is explained, in words and (with dashes) in names of files. @param {Subject} subject */
export function subjectName(subject) {
  return 'pixels' in subject ? 'picture' : sampleName(subject);
}

/** @param {Subject} subject */
export function subjectFile(subject) {
  return 'pixels' in subject ? 'picture' : `${subject.split}-${subject.index}`;
}

/** @param {number} bytes */
export function size(bytes) {
  return bytes >= 1e9 ? `${(bytes / 1e9).toFixed(2)} GB` : `${(bytes / 1e6).toFixed(0)} MB`;
}

/** 1.5e-3 as 1.5 × 10⁻³. @param {number} value */
export function scientific(value) {
  if (value === 0) return '0';
  const [digits, exponent] = value.toExponential(0).split('e');
  const superscript = [...exponent].map((c) => ({'-': '⁻', '+': ''})[c] ?? '⁰¹²³⁴⁵⁶⁷⁸⁹'[Number(c)]).join('');
  return `${digits}\u2009×\u200910${superscript}`;
}

/** Why a run has no contributions, where it has none, as a clause. @param {{shards?: {missing: number[]}}} run */
export function whyNotDual({shards}) {
  return shards?.missing.length ? 'what Adam made of the gradients takes all of them, and shards are missing' : 'no error signals are recorded';
}

/** How far the sum is from what the network says. @param {{exactness: {max_abs_error?: number|null}, history_share?: number}} answer */
export function agreement({exactness, history_share: share}) {
  return share ? `from ${percent(share)} of the history` : `dual = primal within ${scientific(exactness.max_abs_error ?? 0)}`;
}

/** What a sample is. @param {RunSummary} run */
export function noun(run) {
  return run.kind === 'text' ? 'position' : run.kind === 'described' ? 'sample' : 'image';
}

/** What the last layer's bias adds to attention. @param {RunSummary} run @returns {0|1} */
export function biasOf({layers}) {
  return layers[layers.length - 1].bias ? 1 : 0;
}

/** One of them. @param {RunSummary} run */
export function nounOfOne(run) {
  return `${noun(run) === 'image' ? 'an' : 'a'} ${noun(run)}`;
}
