// The 500 largest |attention| of every class, sorted, side by side: one chart per data set.

import {chart} from '../chart.js';
import {csvButton} from '../csv.js';
import {h, redraw} from '../dom.js';
import {className, nameOf, noun, short, subjectFile} from '../format.js';
import {hidePreview, showPreview} from '../preview.js';

/** @import {Actions, Curve, Panels, Run, Subject} from '../types.js' */

const GAP = 60; // between classes, in ranks

/** @param {Run} run @param {Curve[]} curves of one data set @param {number} most @param {Actions} actions */
function drawDataset(run, curves, most, actions) {
  const longest = Math.max(...curves.map((curve) => curve.attention.length), 1);
  const stride = longest + GAP;
  const x = Array.from({length: curves.length * stride}, (_, i) => i);
  /** The place that a point of the chart stands for. @param {number} index @param {number} line */
  const find = (index, line) => ({curve: curves[line], rank: index - line * stride - GAP / 2});
  return h('div', {},
    run.datasets.length > 1 ? h('h3', {}, curves[0].dataset) : null,
    chart({
      label: `The ${longest} largest attentions of every class of ${curves[0].dataset}`, xLabel: 'rank', yLabel: '|attention|', x,
      lines: curves.map((curve, number) => ({label: className(run, curve.dataset, curve.label),
        colour: `--c${curve.label % 10}`, width: 2, values: x.map((i) => {
          const value = curve.attention[i - number * stride - GAP / 2];
          return value === undefined ? null : Math.abs(value);
        })})),
      range: [0, most],
      axis: h('div.under-curves', {'aria-hidden': 'true', style: {'--n': String(curves.length)}}, curves.map((curve) =>
        h('span', {title: className(run, curve.dataset, curve.label)}, className(run, curve.dataset, curve.label)))),
      hover: (index, line, event) => {
        if (index < 0) return hidePreview();
        const {curve, rank} = find(index, line);
        showPreview(run, curve.sample[rank], event, `${className(run, curve.dataset, curve.label)}, attention ` +
          `${short(curve.attention[rank])}, step ${curve.step[rank]}`);
      },
      pick: (index, line) => {
        const {curve, rank} = find(index, line);
        hidePreview();
        actions.explain(curve.sample[rank]);
      },
      table: {columns: ['rank', ...curves.map((curve) => className(run, curve.dataset, curve.label))],
        rows: () => Array.from({length: longest}, (_, rank) => [String(rank + 1),
          ...curves.map((curve) => curve.attention[rank] ?? '')])},
    }));
}

/** @param {HTMLElement} section @param {Run} run @param {Panels} panels @param {Subject} subject
 *  @param {Actions} actions */
export function showCurves(section, run, panels, subject, actions) {
  const most = 1.04 * Math.max(...panels.curves.map((curve) => Math.abs(curve.attention[0] ?? 0)), 1e-30);
  const rows = () => panels.curves.flatMap((curve) => curve.attention.map((attention, rank) => [curve.dataset,
    className(run, curve.dataset, curve.label), rank + 1, attention, nameOf(run, curve.sample[rank]),
    curve.sample[rank], curve.step[rank]]));
  redraw(section,
    h('div.head', {}, h('h2', {}, 'The 500 strongest of each class'),
      csvButton(`curves-${subjectFile(subject)}-layer-${panels.layer}`, 'the strongest of each class',
        ['dataset', 'class', 'rank', 'attention', 'training_sample', 'sample_id', 'step'], rows)),
    h('p.soft', {}, `|attention| of layer ${panels.layer}, sorted within each class. Point at a curve to see the training ${noun(run)}.`),
    ...run.datasets.map((dataset) => drawDataset(run,
      panels.curves.filter((curve) => curve.dataset === dataset.name), most, actions)));
}
