// Totals per training sample over all its showings, sorted, by data set.

import {chart, legend} from '../chart.js';
import {csvButton} from '../csv.js';
import {h, redraw} from '../dom.js';
import {count, datasetColour, samplePlace, short, subjectFile} from '../format.js';
import {hidePreview, showPreview} from '../preview.js';
import {scoreName} from '../ranks.js';

/** @import {Actions, Panels, Run, Subject} from '../types.js' */

const DENSE = 100; // the first ranks all stand in the chart, then ever fewer
const POINTS = 500;

/** The ranks that are drawn, of n. @param {number} n */
function ranks(n) {
  const drawn = new Set();
  for (let i = 0; i < Math.min(n, DENSE); i++) drawn.add(i);
  for (let i = 0; i <= POINTS; i++) drawn.add(Math.min(n - 1, Math.round(i * (n - 1) / POINTS)));
  return [...drawn].filter((rank) => rank >= 0).sort((a, b) => a - b);
}

/** @param {HTMLElement} section @param {Run} run @param {Panels} panels @param {Subject} subject
 *  @param {Actions} actions */
export function showTotals(section, run, panels, subject, actions) {
  const {id, repetitions, sum, sum_abs: sumAbs, score} = panels.samples;
  const order = Array.from(id.keys()).sort((a, b) => score[b] - score[a] || a - b);
  const places = id.map((sample) => samplePlace(run, sample));
  const sorted = run.datasets.map((dataset) => order.filter((i) => places[i].dataset === dataset.name));
  const x = ranks(Math.max(...sorted.map((list) => list.length)));
  const lines = run.datasets.map((dataset, d) => ({label: dataset.name, colour: datasetColour(run, dataset.name), width: 2,
    values: x.map((rank) => sorted[d][rank] === undefined ? null : score[sorted[d][rank]])}));
  /** @param {number} index @param {number} line */
  const at = (index, line) => sorted[line][x[index]];
  redraw(section,
    h('div.head', {}, h('h2', {}, 'Totals per training sample'),
      csvButton(`samples-${subjectFile(subject)}-layer-${panels.layer}`, 'the totals per training sample',
        ['dataset', 'index', 'sample_id', 'repetitions', 'sum', 'sum_abs', 'score'], () => order.map((i) =>
          [places[i].dataset, places[i].index, id[i], repetitions[i], sum[i], sumAbs[i], score[i]]))),
    h('p.soft', {}, `${scoreName(panels.rank)} summed over all showings of each of ${count(id.length)} training samples, sorted` +
      (run.datasets.length > 1 ? ' within each data set.' : '.')),
    chart({label: 'Totals per training sample, sorted', xLabel: 'rank', yLabel: `total ${scoreName(panels.rank)}`, x: x.map((rank) => rank + 1), lines,
      hover: (index, line, event) => {
        if (index < 0) return hidePreview();
        const i = at(index, line);
        showPreview(run, id[i], event, `${short(score[i])} in ${repetitions[i]} showings`);
      },
      pick: (index, line) => {
        hidePreview();
        actions.explain(id[at(index, line)]);
      }}),
    run.datasets.length > 1 ? legend(lines) : null);
}
