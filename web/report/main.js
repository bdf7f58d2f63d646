// A report as a page of its own: its numbers are in the page, and so is everything that draws them.

import {chart, legend} from '../chart.js';
import {byId, h} from '../dom.js';
import {count, percent} from '../format.js';
import {words} from '../words.js';

/** @import {Report, Vote} from '../types.js' */

/** @type {Report} */
const report = JSON.parse(byId('data').textContent ?? '');
/** @type {Record<string, string>} by sample id */
const pictures = JSON.parse(byId('pictures').textContent ?? '');

const datasets = [...new Set(report.accuracy.map(({dataset}) => dataset))];
const layers = [...new Set(report.vote.map(({layer}) => layer))];

/** A table that scrolls where it is wider than the page. @param {string} label
 *  @param {string[]} columns @param {Element[][]} rows of cells */
function table(label, columns, rows) {
  return h('div.scroll', {tabIndex: 0, role: 'region', 'aria-label': label}, h('table', {},
    h('thead', {}, h('tr', {}, columns.map((name, i) =>
      h(rows[0]?.[i].matches('.number') ? 'th.number' : 'th', {scope: 'col'}, name)))),
    h('tbody', {}, rows.map((row) => h('tr', {}, row)))));
}

/** @param {string|number} value */
const cell = (value) => typeof value === 'number' ? h('td.number', {}, count(value)) : h('td', {}, value);

/** A share, as a bar and a number. @param {number|null|undefined} share @param {string} [colour] */
function bar(share, colour = '--accent') {
  if (share === null || share === undefined) return h('td', {}, '\u2013');
  return h('td.bar', {}, h('span', {style: {'--part': `${100 * share}%`, '--swatch': `var(${colour})`}}, percent(share)));
}

/** @param {string} title @param {string} text @param {...Node} nodes */
function section(title, text, ...nodes) {
  return h('section', {}, h('h2', {}, title), text ? h('p.soft', {}, text) : null, ...nodes);
}

function accuracies() {
  return section('Accuracy', '', table('Accuracy', ['data set', 'split', 'right', 'samples'],
    report.accuracy.map((row) => [cell(row.dataset), cell(row.split), bar(row.accuracy, '--plus'), cell(row.samples)])));
}

const VOTES = [
  {key: 'target_when_right', label: 'vote = target, right predictions', colour: '--c1'},
  {key: 'target_when_wrong', label: 'vote = target, wrong ones', colour: '--c5'},
  {key: 'output_when_wrong', label: 'vote = output, wrong ones', colour: '--c2'},
];

/** @param {string} title @param {Vote[]} votes */
function vote(title, votes) {
  return section(title, 'The vote is the class with the largest sum of |attention|. It equals the target if it is ' +
    'the sample\u2019s own class, and the output if it stands for what the network said.', ...datasets.map((dataset) =>
    h('div', {}, datasets.length > 1 ? h('h3', {}, dataset) : null, table(`${title}, ${dataset}`,
      ['layer', ...VOTES.map(({label}) => label), 'right', 'wrong'],
      votes.filter((row) => row.dataset === dataset).map((row) => [cell(String(row.layer)),
        ...VOTES.map(({key, colour}) => bar(/** @type {any} */ (row)[key], colour)),
        cell(row.counts.right), cell(row.counts.wrong)])))));
}

function attention() {
  return section('Where attention goes', 'Share of |attention| by the data set trained on, and the mean of its class totals ' +
    'over their deviation: the larger, the more evenly it is spread over classes.', table('Where attention goes',
    ['asked', 'layer', 'attends to', 'share', 'mean / deviation'], (report.attention ?? []).map((row) => [cell(row.dataset),
      cell(String(row.layer)), cell(row.trained), bar(row.share),
      h('td.number', {}, row.mean_over_deviation === null ? '\u2013' : row.mean_over_deviation.toFixed(2))])));
}

/** Accuracy of every data set along the training, with the switches. */
function curve() {
  const steps = [...new Set(report.curve.map(({step}) => step))];
  const lines = datasets.map((dataset, i) => ({label: `${dataset} test accuracy`, colour: `--c${i}`, width: 2,
    values: steps.map((step) => report.curve.find((point) => point.dataset === dataset && point.step === step)?.accuracy ?? null)}));
  return section('Learning and forgetting', '', legend(lines), chart({label: 'Accuracy along the training', xLabel: 'step', yLabel: 'test accuracy',
    x: steps, lines, range: [0, 1],
    marks: report.switches.map((x, i) => ({x, label: `${datasets[i + 1]} from here`}))}));
}

function most() {
  return section('The most attended training samples', 'By sum of |attention| over all samples asked; in brackets, in what ' +
    'share of them they are among the ten with the largest sum. Attention is not normalised: samples with large keys are ' +
    'attended to by many.', ...layers.map((layer) => h('div', {}, h('h3', {}, `layer ${layer}`), h('div.most', {},
    report.most_attended.filter((row) => row.layer === layer).map(({sample, class: name, share, top_ten: topTen}) => h('figure', {},
      sample.description === undefined ? h('img', {alt: '', src: pictures[sample.id]}) : words(sample.description),
      h('figcaption', {}, `${name} #${count(sample.index)}`,
        h('span', {}, `${percent(share, 3)} (${percent(topTen, 0)})`))))))));
}

document.title = `${report.name} \u00b7 keylight report`;
byId('report').append(
  h('h1', {}, report.name),
  h('p.soft', {}, `run ${report.run} \u00b7 ${count(report.patterns)} patterns of ${count(report.steps)} steps \u00b7 ` +
    `${count(report.samples)} test samples asked`),
  accuracies(), vote('The class vote', report.vote),
  ...datasets.length > 1 ? [vote('The class vote with every data set\u2019s classes by themselves', report.vote_by_dataset_class ?? []),
    vote('The class vote among a sample\u2019s own data set', report.vote_within ?? [])] : [],
  attention(), curve(), most());
