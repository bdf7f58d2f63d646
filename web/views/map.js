// The map: where every sample lies along the two principal axes of the last layer's keys; who is asked about, and who is lit.

import {csvButton} from '../csv.js';
import {byId, h, redraw} from '../dom.js';
import {count, nameOf, noun, outputName, percent, subjectFile} from '../format.js';
import {onTheme, whenGone} from '../lifetime.js';
import {hidePreview, showPreview} from '../preview.js';
import {canAsk} from '../state.js';

/** @import {Actions, Answer, Run, SampleMap, Subject} from '../types.js' */

const HEIGHT = 460, EDGE = 14; // pixels
const REACH = 14; // pixels within which a point is pointed at
const STRIDE = 8; // pixels that an arrow key goes at least: points lie side by side
const ZOOM = 1.6, ZOOM_MAX = 40;

/** Which way an arrow key goes. @type {Record<string, [number, number]>} */
const ARROWS = {ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1]};

/** Where the samples lie in the frame: zoomed, and moved so that a point of the map is in its middle.
 *  @typedef {{zoom: number, x: number, y: number}} Window in units of the map */

/** @param {SampleMap} map @returns {{x: number, y: number, half: number}} the middle, and half of the longer side */
function extent({x, y}) {
  let [left, right, low, high] = [Infinity, -Infinity, Infinity, -Infinity];
  for (let i = 0; i < x.length; i++) {
    const px = x[i], py = y[i];
    if (px === null || py === null) continue;
    left = Math.min(left, px);
    right = Math.max(right, px);
    low = Math.min(low, py);
    high = Math.max(high, py);
  }
  return {x: (left + right) / 2, y: (low + high) / 2, half: Math.max(right - left, high - low, 1e-9) / 2};
}

/** The colours of a theme. */
function palette() {
  const style = getComputedStyle(document.documentElement), colour = (/** @type {string} */ name) => style.getPropertyValue(name).trim();
  return {classes: Array.from({length: 10}, (_, i) => colour(`--c${i}`)), ink: colour('--ink'), ground: colour('--page'), accent: colour('--accent')};
}

/** A ring that stands out on any colour. @param {CanvasRenderingContext2D} context @param {number} x @param {number} y
 *  @param {number} radius @param {string} colour @param {string} ground */
function ring(context, x, y, radius, colour, ground) {
  for (const [width, stroke] of /** @type {Array<[number, string]>} */ ([[5, ground], [2.5, colour]])) {
    context.beginPath();
    context.arc(x, y, radius, 0, 2 * Math.PI);
    context.lineWidth = width;
    context.strokeStyle = stroke;
    context.stroke();
  }
}

/** Draws all points, and rings around those that matter. @param {HTMLCanvasElement} canvas @param {SampleMap} map
 *  @param {(i: number) => [number, number]} place in the frame @param {number|null} asked which has a place @param {number[]} lit
 *  @param {number} pointed at by keys; -1: none */
function draw(canvas, map, place, asked, lit, pointed) {
  const {classes, ink, ground, accent} = palette(), ratio = window.devicePixelRatio || 1;
  const width = canvas.clientWidth, context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext('2d'));
  canvas.width = Math.round(width * ratio);
  canvas.height = Math.round(HEIGHT * ratio);
  context.scale(ratio, ratio);
  context.globalAlpha = map.x.length > 20000 ? 0.45 : 0.75;
  const size = map.x.length > 20000 ? 1.6 : 2.4;
  for (let colour = 0; colour < classes.length; colour++) {
    context.fillStyle = classes[colour];
    for (let i = 0; i < map.x.length; i++) {
      if (map.target[i] % 10 !== colour || map.x[i] === null) continue;
      const [x, y] = place(i);
      if (x > -2 && x < width + 2 && y > -2 && y < HEIGHT + 2) context.fillRect(x - size / 2, y - size / 2, size, size);
    }
  }
  context.globalAlpha = 1;
  for (const i of lit) if (map.x[i] !== null) ring(context, ...place(i), 5, accent, ground);
  if (asked !== null) ring(context, ...place(asked), 9, ink, ground);
  if (pointed >= 0) ring(context, ...place(pointed), 5, ink, ground);
}

/** The nearest sample to a point of the frame; -1: none is near. @param {SampleMap} map @param {(i: number) => [number, number]} place
 *  @param {number} x @param {number} y */
function nearest(map, place, x, y) {
  let best = -1, least = REACH * REACH;
  for (let i = 0; i < map.x.length; i++) {
    if (map.x[i] === null) continue;
    const [px, py] = place(i), distance = (px - x) ** 2 + (py - y) ** 2;
    if (distance < least) [best, least] = [i, distance];
  }
  return best;
}

/** The next sample that way from a point of the frame, within it: near, and rather ahead than beside; -1: there is none. @param {SampleMap} map
 *  @param {(i: number) => [number, number]} place @param {[number, number]} from @param {[number, number]} way @param {number} width of the frame */
function next(map, place, from, way, width) {
  let best = -1, least = Infinity;
  for (let i = 0; i < map.x.length; i++) {
    if (map.x[i] === null) continue;
    const [x, y] = place(i), along = (x - from[0]) * way[0] + (y - from[1]) * way[1], beside = Math.abs((x - from[0]) * way[1] - (y - from[1]) * way[0]);
    const far = along + 2 * beside;
    if (along >= STRIDE && far < least && x >= 0 && x <= width && y >= 0 && y <= HEIGHT) [best, least] = [i, far];
  }
  return best;
}

/** The last look, so that a click on a sample does not zoom out, and the sample that keys point at; -1: none. */
const look = {run: '', /** @type {Window} */ window: {zoom: 1, x: 0, y: 0}, pointed: -1};

/**
 * @typedef {object} Frame
 * @property {HTMLCanvasElement} canvas
 * @property {Run} run
 * @property {SampleMap} map
 * @property {number|null} asked the sample that is asked about, if it has a place
 * @property {(i: number) => [number, number]} place where a sample lies in it
 * @property {() => void} redrawn
 * @property {(by: number) => void} zoom in on what keys point at, or on what is asked about
 * @property {Actions} actions
 */

/** Lets the pointer point, and a click ask. @param {Frame} frame @returns {() => void} which hides what was pointed at */
function takePointer({canvas, run, map, place, redrawn, actions}) {
  const at = (/** @type {MouseEvent} */ event) => nearest(map, place, event.offsetX, event.offsetY);
  let waiting = 0;
  const hide = () => {
    cancelAnimationFrame(waiting);
    waiting = 0;
    hidePreview();
  };
  canvas.addEventListener('mousemove', (/** @type {MouseEvent} */ event) => {
    if (look.pointed >= 0 && !event.movementX && !event.movementY) return; // the page moved, under a pointer at rest
    if (look.pointed >= 0) { // by keys, until now
      look.pointed = -1;
      redrawn();
    }
    if (waiting) return;
    waiting = requestAnimationFrame(() => {
      waiting = 0;
      const i = at(event);
      canvas.style.cursor = i >= 0 && canAsk(run, i) ? 'pointer' : '';
      if (i < 0) hidePreview();
      else showPreview(run, i, event, outputName(run, map.target[i]));
    });
  });
  canvas.addEventListener('mouseleave', () => look.pointed >= 0 || hide()); // what keys point at stays
  canvas.addEventListener('click', (/** @type {MouseEvent} */ event) => {
    const i = at(event);
    hide();
    if (i >= 0) actions.explain(i);
  });
  return hide;
}

/** Lets keys point and ask. @param {Frame} frame @param {() => void} hide what was pointed at */
function takeKeys({canvas, run, map, asked, place, redrawn, zoom, actions}, hide) {
  const go = (/** @type {[number, number]} */ way) => {
    const start = look.pointed >= 0 ? look.pointed : asked;
    const onward = () => next(map, place, start === null ? [canvas.clientWidth / 2, HEIGHT / 2] : place(start), way, canvas.clientWidth);
    let i = onward();
    if (i < 0 && start !== null && look.window.zoom > 1) { // it may lie beyond the frame
      zoom(1);
      i = onward();
    }
    if (i < 0) return;
    look.pointed = i;
    redrawn();
    hide();
    const [x, y] = place(i), {left, top} = canvas.getBoundingClientRect(), called = outputName(run, map.target[i]);
    showPreview(run, i, {clientX: left + x, clientY: top + y}, called);
    byId('said').textContent = `${nameOf(run, i)}, ${called}`;
  };
  const ask = () => {
    const isAnswered = canAsk(run, look.pointed) && !('picking' in document.body.dataset);
    actions.explain(look.pointed);
    look.pointed = -1; // keys go on from what is asked about
    if (isAnswered) byId('answer').focus();
  };
  canvas.addEventListener('focus', redrawn);
  canvas.addEventListener('blur', () => {
    hide();
    redrawn();
  });
  canvas.addEventListener('keydown', (/** @type {KeyboardEvent} */ event) => {
    const way = ARROWS[event.key];
    if (event.ctrlKey || event.metaKey || event.altKey || !way && (event.key !== 'Enter' || look.pointed < 0)) return;
    event.preventDefault();
    if (way) go(way);
    else ask();
  });
}

/** The frame, which points are picked in, and its zoom. @param {Run} run @param {SampleMap} map @param {number|null} asked @param {number[]} lit
 *  @param {Actions} actions */
function frame(run, map, asked, lit, actions) {
  const {x, y, half} = extent(map);
  if (look.run !== run.id) Object.assign(look, {run: run.id, window: {zoom: 1, x, y}, pointed: -1});
  const canvas = h('canvas.map', {id: 'map-points', role: 'application', 'aria-roledescription': 'map', tabIndex: 0, style: {height: `${HEIGHT}px`},
    'aria-label': `A map of ${count(map.x.length)} samples: ${asked === null ? '' : 'the one that is asked about, and '}${lit.length} that are lit, are ringed`, 'aria-describedby': 'map-keys'});
  const place = (/** @type {number} */ i) => {
    const {zoom, x: middleX, y: middleY} = look.window, scale = zoom * (Math.min(canvas.clientWidth, HEIGHT) / 2 - EDGE) / half;
    return /** @type {[number, number]} */ ([canvas.clientWidth / 2 + (/** @type {number} */ (map.x[i]) - middleX) * scale, HEIGHT / 2 - (/** @type {number} */ (map.y[i]) - middleY) * scale]);
  };
  const redrawn = () => draw(canvas, map, place, asked, lit, document.activeElement === canvas ? look.pointed : -1);
  const zoom = (/** @type {number} */ by) => {
    const middle = look.pointed >= 0 ? look.pointed : asked, to = Math.min(ZOOM_MAX, Math.max(1, look.window.zoom * by));
    look.window = to === 1 || middle === null ? {zoom: to, x, y} : {zoom: to, x: /** @type {number} */ (map.x[middle]), y: /** @type {number} */ (map.y[middle])};
    redrawn();
  };
  const parts = {canvas, run, map, asked, place, redrawn, zoom, actions}, hide = takePointer(parts), sized = new ResizeObserver(redrawn);
  takeKeys(parts, hide);
  sized.observe(canvas);
  whenGone(canvas, () => {
    sized.disconnect();
    hide();
  });
  onTheme(canvas, redrawn);
  const button = (/** @type {string} */ id, /** @type {string} */ text, /** @type {string} */ label, /** @type {number} */ by) =>
    h('button', {type: 'button', id: `map-${id}`, 'aria-label': label, title: label, onclick: () => zoom(by)}, text);
  return h('div.map-frame', {}, canvas, h('div.map-zoom', {role: 'group', 'aria-label': 'Zoom of the map'},
    button('in', '+', 'Zoom in, on what is asked about or pointed at', ZOOM), button('out', '−', 'Zoom out', 1 / ZOOM), button('all', '⤢', 'The whole map', 1e-9)));
}

/** @param {HTMLElement} section @param {Run} run @param {Answer} answer @param {SampleMap} map @param {Subject} subject @param {Actions} actions */
export function showMap(section, run, answer, map, subject, actions) {
  const asked = 'pixels' in subject || map.x[subject.id] === null ? null : subject.id, lit = [...new Set(answer.spotlight.map(({sample}) => sample.id))];
  const [first, second] = map.share, outputs = [...new Set(map.target)].sort((a, b) => a - b);
  redraw(section,
    h('div.head', {}, h('h2', {}, 'The map'), csvButton(`map-${subjectFile(subject)}`, 'the map', ['sample', 'target', 'x', 'y'],
      () => map.x.map((x, i) => [nameOf(run, i), outputName(run, map.target[i]), x ?? '', map.y[i] ?? '']))),
    h('p.soft', {}, `Every ${noun(run)} of the run where the last layer sees it, along the two directions in which its keys differ most (${percent(first, 0)} and ${percent(second, 0)} of their variance)` +
      `${run.recorded ? ', as it was recorded last' : ''}. `,
    asked === null ? 'What is asked about has no place on it; the spotlight is ringed. ' : [h('i.ringed.asked'), ' what is asked about ', h('i.ringed'), ' its spotlight. '],
    h('span', {id: 'map-keys'}, 'A click on a point asks about it; so do arrow keys and Enter.')),
    frame(run, map, asked, lit, actions),
    h('p.legend', {}, outputs.slice(0, 40).map((output) => [h('span.key', {}, h('i.dot', {'data-class': output % 10}), outputName(run, output)), ' ']).flat(),
      outputs.length > 40 ? `and ${count(outputs.length - 40)} more. ` : '', outputs.length > 10 ? 'Colours come again after ten.' : ''));
}
