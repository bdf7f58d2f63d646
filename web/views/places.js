// Where a layer looks: what training through it gave the answer at each place of the picture, and which one attention is of.

import {imageUrl} from '../api.js';
import {csvButton} from '../csv.js';
import {h, redraw} from '../dom.js';
import {count, noun, outputName, short, signed, subjectFile} from '../format.js';
import {boxStyle, grid, gridStyle, placeName} from '../places.js';
import {layerChoice} from './layer_choice.js';

/** @import {Actions, Part, Run, Subject} from '../types.js' */
/** @import {State} from '../state.js' */

const CELL = 8; // pixels of the drawing a place

/** One colour for each sign, as strong as the number is large. @param {HTMLCanvasElement} canvas @param {number[]} values @param {number} columns */
function paint(canvas, values, columns) {
  const style = getComputedStyle(document.documentElement);
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext('2d'));
  const most = Math.max(...values.map(Math.abs), 1e-30);
  values.forEach((value, place) => {
    context.globalAlpha = Math.sqrt(Math.abs(value) / most);
    context.fillStyle = style.getPropertyValue(value < 0 ? '--minus' : '--plus').trim();
    context.fillRect(CELL * (place % columns), CELL * Math.floor(place / columns), CELL, CELL);
  });
}

/** @param {HTMLElement} section @param {Run} run @param {State} state @param {Part} answer @param {Subject} subject @param {Actions} actions */
export function showPlaces(section, run, state, answer, subject, actions) {
  const layer = run.layers[(answer.layer ?? run.layers.length) - 1], {places} = answer;
  const name = outputName(run, answer.logit ?? answer.predicted);
  const choice = h('div.controls', {}, h('span.control', {}, 'layer', layerChoice(run, layer.layer, (chosen) => actions.choose({layer: chosen, place: null}))));
  const title = h('h2', {}, 'Where it looks');
  if (!places?.count || !places.contributions) {
    redraw(section, h('div.head', {}, title), choice, h('p.soft', {}, !places?.count ? `${layer.name} sees the ${run.kind === 'described' ? 'sample' : 'picture'} whole. Layers of several places see it piece by piece: choose one of them.` :
      `The error signals of ${layer.name} are not recorded, so there are no contributions through it.`));
    return;
  }
  const values = places.contributions, [rows, columns] = grid(layer), total = values.reduce((sum, one) => sum + one, 0);
  const shown = rows * columns === values.length ? columns : values.length;
  const canvas = h('canvas.places', {width: CELL * shown, height: CELL * (values.length / shown), tabIndex: 0, role: 'img', id: 'places-map', style: gridStyle(layer) ?? {},
    'aria-label': `What each of ${count(values.length)} places gave ${name}. Most: ${signed(Math.max(...values))} at ${placeName(layer, values.indexOf(Math.max(...values)))}.`});
  const pick = (/** @type {number|null} */ place) => actions.choose({place});
  const at = (/** @type {MouseEvent} */ event) => {
    const box = canvas.getBoundingClientRect();
    const across = Math.floor((event.clientX - box.left) / box.width * shown), down = Math.floor((event.clientY - box.top) / box.height * (values.length / shown));
    return Math.min(values.length - 1, Math.max(0, down * shown + across));
  };
  const note = h('p.soft', {'aria-live': 'polite'});
  const tell = (/** @type {number|null} */ place) => {
    note.textContent = place === null ? `A click on a place asks which training images have something like it.` : `${placeName(layer, place)}: ${signed(values[place])} to ${name}`;
  };
  canvas.addEventListener('mousemove', (/** @type {MouseEvent} */ event) => tell(at(event)));
  canvas.addEventListener('mouseleave', () => tell(state.place));
  canvas.addEventListener('click', (/** @type {MouseEvent} */ event) => pick(at(event)));
  canvas.addEventListener('keydown', (/** @type {KeyboardEvent} */ event) => {
    const step = {ArrowLeft: -1, ArrowRight: 1, ArrowUp: -shown, ArrowDown: shown}[event.key];
    if (!step || event.altKey || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    pick(Math.min(values.length - 1, Math.max(0, (state.place ?? -step) + step)));
  });
  paint(canvas, values, shown);
  const box = state.place === null ? null : boxStyle(layer, state.place, {width: 1, height: 1});
  const picture = 'id' in subject && layer.convolution && subject.description === undefined ? h('img', {src: imageUrl(run.id, subject.id, 8), alt: ''}) : null;
  redraw(section,
    h('div.head', {}, title, csvButton(`places-${subjectFile(subject)}-layer-${layer.layer}`, 'contributions by place', ['place', 'row', 'column', 'contribution'],
      () => values.map((value, place) => [place, Math.floor(place / shown), place % shown, value]))),
    choice,
    h(layer.convolution ? 'div.where.over' : 'div.where', {}, picture, canvas, box ? h('i.patch', {style: box}) : null),
    note,
    state.place === null ? null : h('button.start', {type: 'button', id: 'all-places', onclick: () => pick(null)}, 'All places together'),
    h('p.soft', {}, 'What training through this layer gave ', name, ` at each of its ${count(values.length)} places, first order: `, h('i.swatch.plus'), ' for, ', h('i.swatch.minus'), ` against; ${signed(total)} together, at most ${short(Math.max(...values.map(Math.abs)))} at one.`));
  tell(state.place);
}
