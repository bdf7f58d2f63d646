// The wall: every training image as one small cell, by class, lit by its total.

import {csvButton} from '../csv.js';
import {choice, h, redraw} from '../dom.js';
import {className, classPlace, count, noun, numberedClass, short, subjectFile} from '../format.js';
import {onTheme} from '../lifetime.js';
import {hidePreview, showPreview} from '../preview.js';
import {scoreName} from '../ranks.js';
import {FULL_LIGHT, light} from '../scale.js';

/** @import {Actions, Panels, Run, Subject} from '../types.js' */
/** @import {State} from '../state.js' */

const ZOOMS = [1, 2, 4, 8];
const FEW = 3000; // training images, whose cells can be larger

/** @param {number[]} values */
function moments(values) {
  const mean = values.reduce((sum, value) => sum + value, 0) / (values.length || 1);
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (values.length || 1);
  return {mean, deviation: Math.sqrt(variance)};
}

/** The places of the samples in the lists, by class number. @param {Panels} panels */
function byClass({samples}) {
  /** @type {number[][]} */
  const classes = [];
  samples.class.forEach((number, i) => (classes[number] ??= []).push(i));
  return classes;
}

/** The two ends of the light's scale, as colours. */
function colours() {
  const style = getComputedStyle(document.documentElement);
  const read = (/** @type {string} */ name) => {
    const context = /** @type {CanvasRenderingContext2D} */ (h('canvas', {width: 1, height: 1}).getContext('2d'));
    context.fillStyle = style.getPropertyValue(name);
    context.fillRect(0, 0, 1, 1);
    return context.getImageData(0, 0, 1, 1).data;
  };
  return {dark: read('--cell'), lit: read('--lit')};
}

/** One class as a block of cells. @param {Run} run @param {Panels} panels @param {number[]} members
 *  @param {number} number of the class @param {number[]} lights @param {number} zoom pixels of a cell
 *  @param {Actions} actions */
function block(run, panels, members, number, lights, zoom, actions) {
  const {dataset, label} = classPlace(run, number);
  const columns = Math.ceil(Math.sqrt(members.length / 2)), rows = Math.ceil(members.length / columns);
  const canvas = h('canvas.cells', {width: columns, height: rows, tabIndex: 0, role: 'img',
    'aria-label': `${numberedClass(run, number)}: ${count(members.length)} training samples; arrow keys move, Enter asks`,
    style: {width: `${columns * zoom}px`, height: `${rows * zoom}px`}});
  let cursor = 0;
  const draw = () => {
    const {dark, lit} = colours();
    const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext('2d'));
    const image = context.createImageData(columns, rows);
    members.forEach((i, cell) => {
      for (let c = 0; c < 3; c++) image.data[4 * cell + c] = dark[c] + (lit[c] - dark[c]) * lights[i];
      image.data[4 * cell + 3] = 255;
    });
    context.putImageData(image, 0, 0);
  };
  const tell = (/** @type {number} */ cell, /** @type {{clientX: number, clientY: number}} */ at) => {
    const i = members[cell];
    const {id, repetitions, score} = panels.samples;
    showPreview(run, id[i], at, `${short(score[i])} in ${repetitions[i]} showings`);
  };
  /** @param {MouseEvent} event */
  const under = (event) => {
    const box = canvas.getBoundingClientRect();
    const cell = Math.floor((event.clientY - box.top) / zoom) * columns + Math.floor((event.clientX - box.left) / zoom);
    return cell >= 0 && cell < members.length ? cell : -1;
  };
  canvas.addEventListener('mousemove', (/** @type {MouseEvent} */ event) => {
    const cell = under(event);
    if (cell < 0) hidePreview();
    else tell(cell, event);
  });
  canvas.addEventListener('mouseleave', hidePreview);
  canvas.addEventListener('blur', hidePreview);
  const ask = (/** @type {number} */ cell) => {
    hidePreview();
    actions.explain(panels.samples.id[members[cell]]);
  };
  canvas.addEventListener('click', (/** @type {MouseEvent} */ event) => {
    if (under(event) >= 0) ask(under(event));
  });
  canvas.addEventListener('keydown', (/** @type {KeyboardEvent} */ event) => {
    const step = {ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns}[event.key];
    if (event.key === 'Enter') ask(cursor);
    if (step === undefined) return;
    event.preventDefault();
    cursor = Math.max(0, Math.min(members.length - 1, cursor + step));
    const box = canvas.getBoundingClientRect();
    tell(cursor, {clientX: box.left + cursor % columns * zoom, clientY: box.top + Math.floor(cursor / columns) * zoom});
  });
  draw();
  onTheme(canvas, draw);
  return h('figure.block', {'data-number': number}, canvas, h('figcaption', {}, className(run, dataset, label)));
}

/** @param {HTMLElement} section @param {Run} run @param {State} state @param {Panels} panels
 *  @param {Subject} subject @param {Actions} actions */
export function showWall(section, run, state, panels, subject, actions) {
  const {mean, deviation} = moments(panels.samples.score);
  const lights = panels.samples.score.map((score) => light(deviation > 0 ? (score - mean) / deviation : 0));
  const classes = byClass(panels);
  const cell = state.zoom * (panels.samples.id.length < FEW ? 3 : 1);
  redraw(section,
    h('div.head', {}, h('h2', {}, 'The wall: every training sample, lit by its total'),
      h('span.soft', {}, 'zoom '), choice(ZOOMS.map((zoom) => ({value: String(zoom), text: `${zoom}×`})), String(state.zoom),
        'Zoom', (value) => actions.choose({zoom: Number(value)})),
      csvButton(`wall-${subjectFile(subject)}-layer-${panels.layer}`, 'the wall', ['class', 'sample_id', 'repetitions', 'score', 'light'],
        () => classes.flatMap((members, number) => members.map((i) => [numberedClass(run, number), panels.samples.id[i],
          panels.samples.repetitions[i], panels.samples.score[i], lights[i]])))),
    ...run.datasets.map((dataset) => h('div.wall-of', {}, run.datasets.length > 1 ? h('h3', {}, dataset.name) : null,
      h('div.scroll.wall', {}, classes.map((members, number) => classPlace(run, number).dataset === dataset.name &&
        block(run, panels, members, number, lights, cell, actions))))),
    h('p.soft', {}, `Light: how far the ${noun(run)}’s total ${scoreName(panels.rank)} stands above the mean of all ${noun(run)}s ` +
      `(${short(mean)}), full at ${FULL_LIGHT} standard deviations (${short(deviation)}). `, h('span.pointing', {}, 'Point at a cell to see it, click to ask about it.')));
}
