// How the answer was learned: the whole network as it was then, and the last layer's partial sums.

import {chart, legend} from '../chart.js';
import {csvButton} from '../csv.js';
import {h, redraw} from '../dom.js';
import {count, outputName, subjectFile} from '../format.js';
import {switches} from './time.js';

/** @import {Panels, Run, Subject} from '../types.js' */
/** @import {Line} from '../chart.js' */

/** The last layer's initial guess plus everything added up to the end of every range of steps: by
 *  range, by output. @param {Panels} panels @returns {number[][]} */
function partialSums(panels) {
  let sums = panels.initial_guess;
  return panels.time.first_steps.map((_, bin) => {
    sums = sums.map((sum, output) => panels.time.contributions.reduce(
      (total, bins) => total + bins[bin][output], sum));
    return sums;
  });
}

/** Lines of all outputs; those that matter in colour and last, so that they lie on top.
 *  @param {Run} run @param {Panels} panels @param {number[][]} logits by point @returns {Line[]} */
function lines(run, panels, logits) {
  const matters = (/** @type {number} */ output) => output === panels.predicted || output === panels.target;
  return panels.logits.map((_, output) => output).sort((a, b) => Number(matters(a)) - Number(matters(b)))
    .map((output) => ({label: outputName(run, output), values: logits.map((row) => row[output]),
      colour: matters(output) ? `--c${output % 10}` : '--guess', width: matters(output) ? 2.5 : 1}));
}

/** @param {Run} run @param {Panels} panels */
function sentence(run, panels) {
  const {first_won: first, last_changed: since, steps} = panels.learning;
  const name = h('strong', {}, outputName(run, panels.predicted));
  if (since === 0) return h('p', {}, name, ' was the answer from the initial weights on.');
  return h('p', {}, name, first === since ? ` became the answer at step ${count(since)} and stayed it` :
    ` first won at step ${count(first)} and has been the answer since step ${count(since)}`,
  `, as far as ${count(steps.length)} points tell.`);
}

/** @param {HTMLElement} section @param {Run} run @param {Panels} panels @param {Subject} subject */
export function showLearning(section, run, panels, subject) {
  const {steps, logits, first_won: first, last_changed: since} = panels.learning;
  const sums = partialSums(panels);
  const ends = panels.time.first_steps.map((_, bin) => (panels.time.first_steps[bin + 1] ?? run.steps + 1) - 1);
  const drawn = lines(run, panels, logits);
  const marks = [...switches(run), ...(first && first !== since ? [{x: first, label: 'first won'}] : []),
    ...(since ? [{x: since, label: 'since then'}] : [])];
  const rows = () => [...steps.flatMap((step, i) => logits[i].map((logit, output) =>
    ['network', step, outputName(run, output), logit])),
  ...ends.flatMap((step, i) => sums[i].map((sum, output) => ['last_layer_partial_sum', step, outputName(run, output), sum]))];
  redraw(section,
    h('div.head', {}, h('h2', {}, 'How the answer was learned'),
      csvButton(`learned-${subjectFile(subject)}`, 'how the answer was learned', ['what', 'step', 'output', 'logit'], rows)),
    sentence(run, panels),
    h('div.pair', {},
      h('div', {}, h('h3', {}, 'The whole network, as it was then'),
        run.snapshots ? null : h('p.soft', {}, 'This run keeps no snapshots: only its begin and end are known.'),
        chart({label: 'Logits at points of the training', xLabel: 'step', yLabel: 'logit', x: steps, lines: drawn, marks})),
      h('div', {}, h('h3', {}, 'Partial sums of the last layer'),
        chart({label: 'Initial guess plus contributions up to a step, for the final features', xLabel: 'up to step', yLabel: 'logit',
          x: ends, lines: lines(run, panels, sums), marks: switches(run)}))),
    legend([...drawn.filter((line) => line.width === 2.5), {label: 'other outputs', colour: '--guess'}]),
    h('p.soft', {}, 'Left: logits of the stored snapshots, exact in every layer. Right: for the final features, what the last ' +
      'layer’s contributions had summed to by then; not what the network said at that step.'));
}
