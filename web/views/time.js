// Attention over training time, by class or data set, with the task switch marked.

import {chart, legend} from '../chart.js';
import {csvButton} from '../csv.js';
import {choice, h, redraw} from '../dom.js';
import {classPlace, count, datasetColour, numberedClass, subjectFile} from '../format.js';

/** @import {Actions, Panels, Run, Subject, Time} from '../types.js' */
/** @import {Line, Mark} from '../chart.js' */
/** @import {State} from '../state.js' */

const MEASURES = /** @type {const} */ ({abs: 'sum_abs', positive: 'sum_positive', negative: 'sum_negative'});

/** @param {Run} run @returns {Mark[]} */
export function switches(run) {
  return run.switches.map((step, i) => ({x: step, label: `${run.datasets[i + 1].name} from here`}));
}

/** @param {Run} run @param {Time} time @param {State} state @returns {Line[]} */
function lines(run, time, state) {
  const values = time[MEASURES[state.of]];
  if (state.over === 'dataset')
    return run.datasets.map((dataset) => ({label: dataset.name, colour: datasetColour(run, dataset.name), width: 2,
      values: time.first_steps.map((_, bin) => values.reduce((sum, list, number) =>
        sum + (classPlace(run, number).dataset === dataset.name ? list[bin] : 0), 0))}));
  return values.map((list, number) => {
    const {dataset, label} = classPlace(run, number);
    return {label: numberedClass(run, number), colour: `--c${label % 10}`, values: list,
      dash: dataset === run.datasets[0].name ? undefined : [4, 3]};
  });
}

/** @param {HTMLElement} section @param {Run} run @param {State} state @param {Panels} panels
 *  @param {Subject} subject @param {Actions} actions */
export function showTime(section, run, state, panels, subject, actions) {
  const drawn = lines(run, panels.time, state);
  const rows = () => panels.time.first_steps.flatMap((step, bin) => panels.time.sum_abs.map((_, number) =>
    [step, classPlace(run, number).dataset, numberedClass(run, number), panels.time.sum_abs[number][bin],
      panels.time.sum_positive[number][bin], panels.time.sum_negative[number][bin]]));
  redraw(section,
    h('div.head', {}, h('h2', {}, 'Over training time'),
      csvButton(`time-${subjectFile(subject)}-layer-${panels.layer}`, 'attention over time',
        ['first_step', 'dataset', 'class', 'sum_abs', 'sum_positive', 'sum_negative'], rows)),
    h('div.controls', {},
      run.datasets.length > 1 ? choice([{value: 'class', text: 'by class'}, {value: 'dataset', text: 'by data set'}],
        state.over, 'Split by', (value) => actions.choose({over: /** @type {any} */ (value)})) : null,
      choice([{value: 'abs', text: '|attention|'}, {value: 'positive', text: 'positive'}, {value: 'negative', text: 'negative'}],
        state.of, 'Which attention', (value) => actions.choose({of: /** @type {any} */ (value)}))),
    chart({label: `Attention of layer ${panels.layer} by step`, xLabel: 'from step', yLabel: `Σ ${state.of === 'abs' ? '|attention|' : `${state.of} attention`}`, x: panels.time.first_steps,
      lines: drawn, marks: switches(run)}),
    legend(drawn),
    h('p.soft', {}, `Sums over ${count(panels.time.first_steps.length)} ranges of steps.`));
}
