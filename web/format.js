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

/** Three significant digits; k and M for thousands and millions. @param {number} value */
export function short(value) {
  const size = Math.abs(value);
  let text;
  if (size === 0) text = '0';
  else if (size >= 1e6 && size < 1e12) text = `${(size / 1e6).toFixed(size >= 1e8 ? 0 : size >= 1e7 ? 1 : 2)}M`;
  else if (size >= 1e12 || size < 1e-4) text = size.toExponential(1).replace('e+', 'e');
  else if (size >= 1e4) text = `${(size / 1000).toFixed(size >= 1e5 ? 0 : 1)}k`;
  else if (size >= 1000) text = count(Math.round(size));
  else text = size.toFixed(size >= 100 ? 0 : size >= 10 ? 1 : size >= 1 ? 2 : size >= 0.1 ? 3 : 4);
  return (value < 0 ? MINUS : '') + text;
}

/** As short, with its sign. @param {number} value */
export function signed(value) {
  return value > 0 ? `+${short(value)}` : short(value);
}

/** @param {number} value @param {number} digits */
export function fixed(value, digits) {
  return value.toFixed(digits).replace('-', MINUS);
}

/** @param {RunSummary} run @param {string} dataset @param {number} label */
export function className(run, dataset, label) {
  return run.datasets.find((d) => d.name === dataset)?.classes[label] ?? String(label);
}

/** A class among the outputs: its name in the first data set that has it.
 *  @param {RunSummary} run @param {number} output */
export function outputName(run, output) {
  return run.datasets.find((d) => output < d.classes.length)?.classes[output] ?? String(output);
}

/** @param {SampleName} sample */
export function place(sample) {
  return `${sample.split} #${count(sample.index)}`;
}

/** What is explained, in words and (with dashes) in names of files. @param {Subject} subject */
export function subjectName(subject) {
  return 'pixels' in subject ? 'drawing' : place(subject);
}

/** @param {Subject} subject */
export function subjectFile(subject) {
  return 'pixels' in subject ? 'drawing' : `${subject.split}-${subject.index}`;
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
