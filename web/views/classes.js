// Attention by training class.

import {csvButton} from '../csv.js';
import {className, count, numberedClass, outputName, percent, short, signed, subjectFile} from '../format.js';
import {h, redraw} from '../dom.js';

/** @import {Answer, Run, Subject} from '../types.js' */

/** Two bars from a middle, on a scale that is symmetric. @param {number} negative
 *  @param {number} positive @param {number} most */
function diverging(negative, positive, most) {
  return h('span.diverging', {'aria-hidden': 'true'},
    h('i.minus', {style: {width: `${50 * Math.abs(negative) / most}%`}}),
    h('i.plus', {style: {width: `${50 * positive / most}%`}}));
}

/** @param {Run} run @param {Answer} answer @param {Subject} subject */
function vote(run, answer, subject) {
  const winner = answer.by_class.reduce((best, total) => total.sum_abs > best.sum_abs ? total : best);
  const name = numberedClass(run, answer.by_class.indexOf(winner));
  return h('p', {}, `By total |attention| layer ${answer.layer} votes `, h('strong', {}, name),
    '; the network says ', h('strong', {}, outputName(run, answer.predicted)),
    'pixels' in subject ? '.' : `; the label is ${className(run, subject.dataset, subject.label)}.`);
}

/** The output that stands for a class. @param {Run} run @param {{dataset: string, label: number}} of */
function outputOf(run, {dataset, label}) {
  return (run.datasets.find((d) => d.name === dataset)?.first_output ?? 0) + label;
}

/** @param {Run} run @param {Answer} answer */
export function totals(run, answer) {
  const all = answer.by_class.reduce((sum, total) => sum + total.sum_abs, 0) || 1;
  const mostAbs = Math.max(...answer.by_class.map((total) => total.sum_abs), 1e-30);
  const mostSigned = Math.max(...answer.by_class.map((total) =>
    Math.max(total.sum_positive, -total.sum_negative)), 1e-30);
  return h('table.totals', {},
    h('caption.hidden', {}, `Attention of layer ${answer.layer} by training class`),
    h('thead', {}, h('tr', {}, h('th', {scope: 'col'}, 'Training class'),
      h('th', {scope: 'col', colSpan: 2}, 'Total |attention|'),
      h('th', {scope: 'col', colSpan: 2}, 'Negative and positive'),
      h('th.number.part', {scope: 'col'}, 'Patterns'))),
    h('tbody', {}, answer.by_class.map((total, number) => h('tr', {
      className: outputOf(run, total) === answer.predicted ? 'said' : ''},
    h('th', {scope: 'row'}, h('i.dot', {'data-class': total.label % 10}),
      numberedClass(run, number)),
    h('td.scale', {}, h('span.track', {'aria-hidden': 'true'}, h('i', {
      'data-class': total.label % 10, style: {width: `${100 * total.sum_abs / mostAbs}%`}}))),
    h('td.number', {}, percent(total.sum_abs / all)),
    h('td.scale', {}, diverging(total.sum_negative, total.sum_positive, mostSigned)),
    h('td.number', {}, `${short(total.sum_negative)} / ${signed(total.sum_positive)}`),
    h('td.number.part', {}, count(total.patterns))))));
}

/** Mean over deviation of the totals of every data set's classes. @param {Run} run @param {Answer} answer */
function dispersions(run, answer) {
  return run.datasets.map((dataset) => {
    const sums = answer.by_class.filter((total) => total.dataset === dataset.name).map((total) => total.sum_abs);
    const mean = sums.reduce((sum, value) => sum + value, 0) / sums.length;
    const deviation = Math.sqrt(sums.reduce((sum, value) => sum + (value - mean) ** 2, 0) / sums.length);
    const all = answer.by_class.reduce((sum, total) => sum + total.sum_abs, 0) || 1;
    return {dataset: dataset.name, share: mean * sums.length / all, ratio: deviation > 0 ? mean / deviation : null};
  });
}

/** @param {HTMLElement} section @param {Run} run @param {Answer} answer @param {Subject} subject */
export function showClasses(section, run, answer, subject) {
  const rows = () => answer.by_class.map((total) => [total.dataset,
    className(run, total.dataset, total.label), total.patterns, total.sum_abs, total.sum_positive,
    total.sum_negative]);
  redraw(section,
    h('div.head', {}, h('h2', {id: 'classes-title'}, 'Attention by class'),
      csvButton(`classes-${subjectFile(subject)}-layer-${answer.layer}`, 'the totals by class', ['dataset', 'class',
        'patterns', 'sum_abs', 'sum_positive', 'sum_negative'], rows)),
    vote(run, answer, subject),
    totals(run, answer),
    h('p.soft', {}, dispersions(run, answer).map(({dataset, share, ratio}) =>
      `${run.datasets.length > 1 ? `${dataset} has ${percent(share)} of the attention; its` : 'The'} class totals’ mean is ` +
      `${ratio === null ? 'their only value' : `${short(ratio)} times their standard deviation`}. `)));
}
