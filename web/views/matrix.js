// Logits explained: who taught which logit, by training class, data set or time.

import {csvButton} from '../csv.js';
import {choice, h, redraw} from '../dom.js';
import {count, fixed, numberedClass, outputName, short, signed, subjectFile} from '../format.js';

/** @import {Actions, Panels, Run, Subject} from '../types.js' */
/** @import {State} from '../state.js' */

const STEP_RANGES = 10;

/** Two or three digits: ten columns must fit. @param {number} value */
function brief(value) {
  const size = Math.abs(value);
  return size >= 1e4 ? short(value) : fixed(value, size >= 100 ? 0 : size >= 10 ? 1 : 2);
}

/** @param {number[][]} lists @returns {number[]} */
function sum(lists) {
  return lists.reduce((total, list) => total.map((value, i) => value + list[i]), lists[0].map(() => 0));
}

/** Named rows whose values sum to the correction. @param {Run} run @param {Panels} panels
 *  @param {string} taught @returns {{name: string, values: number[]}[]} */
function group(run, panels, taught) {
  const {first_steps: first, contributions} = panels.time;
  if (taught === 'class')
    return panels.by_class.map((total, number) => ({name: numberedClass(run, number), values: total.contributions}));
  if (taught === 'dataset')
    return run.datasets.map((dataset, d) => ({name: dataset.name, values: sum(contributions[d])}));
  const size = Math.ceil(first.length / STEP_RANGES);
  return Array.from({length: Math.ceil(first.length / size)}, (_, range) => {
    const begin = range * size, end = Math.min(first.length, begin + size);
    return {name: `steps ${count(first[begin])} to ${count((first[end] ?? run.steps + 1) - 1)}`,
      values: sum(contributions.flatMap((bins) => bins.slice(begin, end)))};
  });
}

/** @param {Run} run @param {Panels} panels @param {{name: string, values: number[]}[]} rows */
function table(run, panels, rows) {
  const most = Math.max(...rows.flatMap((row) => row.values.map(Math.abs)), 1e-30);
  const head = (/** @type {number} */ output) => output === panels.predicted ? 'said' : '';
  return h(run.datasets.length > 1 ? 'table.matrix.named' : 'table.matrix', {},
    h('caption.hidden', {}, 'Contribution of each row to each logit; every column sums to the correction'),
    h('thead', {}, h('tr', {}, h('th', {scope: 'col'}, h('span', {}, 'taught by')),
      panels.logits.map((_, output) => h('th', {scope: 'col', className: head(output)},
        h('span', {}, outputName(run, output)))))),
    h('tbody', {}, rows.map(({name, values}) => h('tr', {}, h('th', {scope: 'row', title: name}, name),
      values.map((value, output) => h(`td.${value < 0 ? 'minus' : 'plus'}`, {'data-value': value,
        title: `${name} gave the logit of ${outputName(run, output)} ${signed(value)}`,
        style: {'--share': Math.sqrt(Math.abs(value) / most).toFixed(3)}}, brief(value)))))),
    h('tfoot', {}, [['correction', panels.correction], ['+ initial guess', panels.initial_guess],
      ['= logit', panels.logits]].map(([name, values]) => h('tr', {}, h('th', {scope: 'row'}, name),
      /** @type {number[]} */ (values).map((value) => h('td', {}, brief(value)))))));
}

/** @param {HTMLElement} section @param {Run} run @param {State} state @param {Panels} panels
 *  @param {Subject} subject @param {Actions} actions */
export function showMatrix(section, run, state, panels, subject, actions) {
  const rows = group(run, panels, state.taught);
  redraw(section,
    h('div.head', {}, h('h2', {}, 'Who taught which logit'),
      csvButton(`logits-by-${state.taught}-${subjectFile(subject)}`, 'who taught which logit',
        ['taught_by', ...panels.logits.map((_, output) => outputName(run, output))],
        () => rows.map(({name, values}) => [name, ...values]))),
    h('div.controls', {}, choice([{value: 'class', text: 'by class'},
      ...(run.datasets.length > 1 ? [{value: 'dataset', text: 'by data set'}] : []), {value: 'steps', text: 'by time'}],
    state.taught, 'Taught by', (value) => actions.choose({taught: /** @type {any} */ (value)}))),
    h('div.scroll', {tabIndex: 0, role: 'region', 'aria-label': 'Contributions to logits'}, table(run, panels, rows)),
    h('p.soft', {}, 'Contributions through the last layer, exact: every column sums to what training added to that logit.'));
}
