// Line charts (uPlot), in the page's colours, each with its numbers as a table behind a switch.

import uPlot from './vendor/uplot.js';
import {h} from './dom.js';
import {count, short} from './format.js';
import {onTheme, whenGone} from './lifetime.js';

/**
 * @typedef {{label: string, values: (number|null)[], colour: string, width?: number,
 *   dash?: number[], isJoined?: boolean}} Line colour: the name of a custom property, such as --c3; isJoined: also across nulls
 * @typedef {{x: number, label: string}} Mark a vertical line
 * @typedef {object} Spec
 * @property {string} label what it shows, for screen readers
 * @property {string} xLabel
 * @property {string} [yLabel]
 * @property {number[]} x rising
 * @property {Line[]} lines
 * @property {Mark[]} [marks]
 * @property {Node} [axis] what stands in the x axis' place
 * @property {(x: number) => string} [formatX]
 * @property {[number, number]} [range] of y, where several charts share one
 * @property {(index: number, line: number, event: MouseEvent) => void} [hover] the nearest point of
 *   the nearest line; index -1: none
 * @property {(index: number, line: number) => void} [pick]
 * @property {{columns: string[], rows: () => (string|number)[][]}} [table] the numbers, where they are not
 *   simply x and the lines
 */

const HEIGHT = 210;

/** @param {string} name of a custom property */
function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

/** The nearest line at a point of the plot. @param {any} plot */
function nearest(plot) {
  const {idx, top} = plot.cursor;
  let best = -1, distance = Infinity;
  for (let line = 1; idx !== null && idx !== undefined && line < plot.data.length; line++) {
    const value = plot.data[line][idx];
    if (value === null || value === undefined) continue;
    const away = Math.abs(plot.valToPos(value, 'y') - top);
    if (away < distance) [best, distance] = [line - 1, away];
  }
  return {index: best < 0 ? -1 : idx, line: best};
}

/** @param {any} plot @param {Mark[]} marks */
function drawMarks(plot, marks) {
  const {ctx, bbox} = plot;
  ctx.save();
  ctx.strokeStyle = ctx.fillStyle = colour('--soft');
  ctx.lineWidth = devicePixelRatio;
  ctx.setLineDash([4 * devicePixelRatio, 3 * devicePixelRatio]);
  ctx.font = `${11 * devicePixelRatio}px system-ui, sans-serif`;
  marks.forEach((mark, number) => {
    const x = Math.round(plot.valToPos(mark.x, 'x', true));
    const right = x > bbox.left + bbox.width * 0.7;
    ctx.beginPath();
    ctx.moveTo(x, bbox.top);
    ctx.lineTo(x, bbox.top + bbox.height);
    ctx.stroke();
    ctx.textAlign = right ? 'right' : 'left';
    ctx.fillText(mark.label, x + (right ? -4 : 4) * devicePixelRatio,
      bbox.top + (11 + 13 * (number % 3)) * devicePixelRatio);
  });
  ctx.restore();
}

/** What an axis is of. @param {string} [label] */
function title(label) {
  return label ? {label, labelSize: 16, labelGap: 0, labelFont: '11px system-ui, sans-serif'} : {};
}

/** @param {Spec} spec @param {number} width */
function options(spec, width) {
  const axis = {stroke: () => colour('--soft'), font: '11px system-ui, sans-serif',
    grid: {stroke: () => colour('--line'), width: 1}, ticks: {show: false}};
  return {
    width, height: HEIGHT, legend: {show: false}, padding: [8, 20, spec.axis ? 10 : 0, 0],
    scales: {x: {time: false}, y: spec.range ? {range: () => spec.range} : {}},
    cursor: {y: false, points: {size: 6}, drag: {x: false, y: false, setScale: false}},
    axes: [{...axis, show: !spec.axis, grid: {show: false}, size: 26, gap: 4, ...title(spec.xLabel),
      values: (/** @type {any} */ _, /** @type {number[]} */ ticks) => ticks.map(spec.formatX ?? count)},
    {...axis, size: 46, gap: 4, ...title(spec.yLabel), values: (/** @type {any} */ _, /** @type {number[]} */ ticks) => ticks.map(short)}],
    series: [{}, ...spec.lines.map((line) => ({label: line.label, width: line.width ?? 1.5,
      dash: line.dash, spanGaps: line.isJoined ?? false, stroke: () => colour(line.colour), points: {show: false}}))],
    hooks: {draw: [(/** @type {any} */ plot) => drawMarks(plot, spec.marks ?? [])]},
  };
}

/** @param {Spec} spec */
function plainTable(spec) {
  const formatX = spec.formatX ?? count;
  return {columns: [spec.xLabel, ...spec.lines.map((line) => line.label)],
    rows: () => spec.x.map((x, i) => [formatX(x), ...spec.lines.map((line) => line.values[i] ?? '')])};
}

/** The numbers as a table, made when it is opened. @param {Spec} spec @returns {HTMLDetailsElement} */
function table(spec) {
  const details = h('details.numbers', {}, h('summary', {}, 'Numbers'));
  details.addEventListener('toggle', () => {
    if (!details.open || details.children.length > 1) return;
    const {columns, rows} = spec.table ?? plainTable(spec);
    details.append(h('div.scroll', {tabIndex: 0, role: 'region', 'aria-label': spec.label}, h('table', {},
      h('thead', {}, h('tr', {}, columns.map((name) => h('th.number', {scope: 'col'}, name)))),
      h('tbody', {}, rows().map((row) => h('tr', {}, row.map((value) =>
        h('td.number', {}, typeof value === 'number' ? short(value) : value))))))));
  });
  return details;
}

/** @param {Spec} spec @returns {HTMLElement} */
export function chart(spec) {
  if (!uPlot) { // built without charts: the numbers alone
    const numbers = table(spec);
    numbers.open = true;
    return h('div.chart', {}, numbers);
  }
  const place = h('div.plot', {role: 'img', 'aria-label': `${spec.label}; the numbers are below`});
  /** @type {any} */
  let plot = null;
  const data = [spec.x, ...spec.lines.map((line) => line.values)];
  const sizes = new ResizeObserver(([{contentRect: {width}}]) => {
    if (width < 1) return;
    if (plot) {
      plot.setSize({width, height: HEIGHT});
      return;
    }
    plot = new uPlot(/** @type {any} */ (options(spec, width)), /** @type {any} */ (data), place);
    if (spec.hover) {
      const {hover} = spec;
      plot.over.addEventListener('mousemove', (/** @type {MouseEvent} */ event) => {
        const {index, line} = nearest(plot);
        hover(index, line, event);
      });
      plot.over.addEventListener('mouseleave', (/** @type {MouseEvent} */ event) => hover(-1, -1, event));
    }
    if (spec.pick) {
      const {pick} = spec;
      plot.over.addEventListener('click', () => {
        const {index, line} = nearest(plot);
        if (index >= 0) pick(index, line);
      });
    }
  });
  sizes.observe(place);
  onTheme(place, () => plot?.redraw(false));
  whenGone(place, () => {
    sizes.disconnect();
    plot?.destroy();
    plot = null;
  });
  return h('div.chart', {}, place, spec.axis, table(spec));
}

/** Which colour is which. @param {Array<{label: string, colour: string, dash?: number[]}>} lines */
export function legend(lines) {
  return h('p.legend', {}, lines.map((line) => [h('span.key', {}, h(line.dash ? 'i.swatch.dashed' : 'i.swatch', {
    style: {'--swatch': `var(${line.colour})`}}), line.label), ' ']).flat());
}
