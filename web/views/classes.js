// Attention by training class, and which classes taught which logit.

import {csvButton} from '../csv.js';
import {className, count, outputName, percent, short, signed, subjectFile} from '../format.js';
import {h, redraw} from '../dom.js';

/** @import {Answer, ClassTotal, Run, Subject} from '../types.js' */

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
  const name = className(run, winner.dataset, winner.label);
  return h('p', {}, `By total |attention| layer ${answer.layer} votes `, h('strong', {}, name),
    '; the network says ', h('strong', {}, outputName(run, answer.predicted)),
    'pixels' in subject ? '.' : `; the label is ${className(run, subject.dataset, subject.label)}.`);
}

/** @param {Run} run @param {Answer} answer */
function totals(run, answer) {
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
    h('tbody', {}, answer.by_class.map((total) => h('tr', {
      className: total.label === answer.predicted ? 'said' : ''},
    h('th', {scope: 'row'}, h('i.dot', {'data-class': total.label % 10}),
      className(run, total.dataset, total.label)),
    h('td.scale', {}, h('span.track', {'aria-hidden': 'true'}, h('i', {
      'data-class': total.label % 10, style: {width: `${100 * total.sum_abs / mostAbs}%`}}))),
    h('td.number', {}, percent(total.sum_abs / all)),
    h('td.scale', {}, diverging(total.sum_negative, total.sum_positive, mostSigned)),
    h('td.number', {}, `${short(total.sum_negative)} / ${signed(total.sum_positive)}`),
    h('td.number.part', {}, count(total.patterns))))));
}

/** @param {Run} run @param {Answer} answer @param {ClassTotal[]} rows that have contributions */
function matrix(run, answer, rows) {
  const most = Math.max(...rows.flatMap((total) => (total.contributions ?? []).map(Math.abs)), 1e-30);
  const cell = (/** @type {number} */ value, /** @type {string} */ title) =>
    h(`td.${value < 0 ? 'minus' : 'plus'}`, {title,
      style: {'--share': Math.sqrt(Math.abs(value) / most).toFixed(3)}}, short(value));
  return h('table.matrix', {},
    h('caption.hidden', {}, 'Contribution of each training class (rows) to each logit (columns)'),
    h('thead', {}, h('tr', {}, h('th', {scope: 'col'}, h('span', {}, 'taught by')),
      answer.logits.map((_, output) => h('th', {scope: 'col',
        className: output === answer.predicted ? 'said' : ''},
      h('span', {}, outputName(run, output)))))),
    h('tbody', {}, rows.map((total) => h('tr', {}, h('th', {scope: 'row'},
      className(run, total.dataset, total.label)),
    (total.contributions ?? []).map((value, output) => cell(value,
      `${className(run, total.dataset, total.label)} patterns gave the logit of ` +
      `${outputName(run, output)} ${signed(value)}`))))),
    h('tfoot', {}, h('tr', {}, h('th', {scope: 'row'}, 'correction'),
      answer.correction.map((value) => h('td', {}, short(value))))));
}

/** @param {HTMLElement} section @param {Run} run @param {Answer} answer @param {Subject} subject */
export function showClasses(section, run, answer, subject) {
  const name = `${subjectFile(subject)}-layer-${answer.layer}`;
  const taught = answer.by_class.filter((total) => total.contributions);
  const rows = () => answer.by_class.map((total) => [total.dataset,
    className(run, total.dataset, total.label), total.patterns, total.sum_abs, total.sum_positive,
    total.sum_negative, ...(total.contributions ?? [])]);
  redraw(section,
    h('div.by-class', {},
      h('div.head', {}, h('h2', {id: 'classes-title'}, 'Attention by class'),
        csvButton(`classes-${name}`, 'the totals by class', ['dataset', 'class', 'patterns', 'sum_abs',
          'sum_positive', 'sum_negative', ...(taught.length ? answer.logits.map((_, output) =>
            `contribution_to_${outputName(run, output)}`) : [])], rows)),
      vote(run, answer, subject),
      totals(run, answer)),
    h('div.taught', {},
      h('div.head', {}, h('h2', {}, 'Which classes taught which logit')),
      taught.length ? h('div.scroll', {tabIndex: 0, role: 'region', 'aria-label': 'Contributions of classes to logits'},
        matrix(run, answer, taught)) :
        h('p.soft', {}, `Contributions sum to the logits in the last layer, layer ${run.layers.length}: ` +
          `switch to it to see which classes taught what.`)));
}
