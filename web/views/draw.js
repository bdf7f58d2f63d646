// The pad to draw on: with a pointer, or with arrow keys and the space bar.

import {imageUrl} from '../api.js';
import {decodePixels, encodePixels} from '../pixels.js';
import {h, select} from '../dom.js';
import {samplePlace} from '../format.js';

/** @import {Dataset, RunSummary} from '../types.js' */
/** @import {State} from '../state.js' */
/** @import {Actions} from '../types.js' */

/** Paints bytes on a canvas of the image's own size.
 *  @param {HTMLCanvasElement} canvas @param {ArrayLike<number>} pixels */
export function paint(canvas, pixels) {
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext('2d'));
  const image = context.createImageData(canvas.width, canvas.height);
  for (let i = 0; i < pixels.length; i++) image.data.set([pixels[i], pixels[i], pixels[i], 255], 4 * i);
  context.putImageData(image, 0, 0);
}

/** A pen of soft edge around (x, y), in pixels. @param {Float32Array} pixels @param {Dataset} dataset
 *  @param {number} x @param {number} y @param {boolean} erase */
function touch(pixels, {width, height}, x, y, erase) {
  const radius = Math.max(1, Math.min(width, height) / 20);
  for (let py = Math.max(0, Math.floor(y - radius - 1)); py <= Math.min(height - 1, y + radius + 1); py++) {
    for (let px = Math.max(0, Math.floor(x - radius - 1)); px <= Math.min(width - 1, x + radius + 1); px++) {
      const ink = 255 * Math.max(0, Math.min(1, radius + 0.5 - Math.hypot(px + 0.5 - x, py + 0.5 - y)));
      const at = py * width + px;
      pixels[at] = erase ? Math.min(pixels[at], 255 - ink) : Math.max(pixels[at], ink);
    }
  }
}

/** The pixels of a stored sample. @param {string} run @param {number} sample @param {Dataset} dataset */
async function samplePixels(run, sample, {width, height}) {
  const image = new Image();
  image.src = imageUrl(run, sample, 1);
  await image.decode();
  const context = /** @type {CanvasRenderingContext2D} */ (
    h('canvas', {width, height}).getContext('2d', {willReadFrequently: true}));
  context.drawImage(image, 0, 0);
  return context.getImageData(0, 0, width, height).data.filter((_, i) => i % 4 === 0);
}

/** @param {RunSummary} run @param {State} state @param {Actions} actions */
export function openPad(run, state, actions) {
  const dataset = run.datasets[0];
  const {width, height} = dataset;
  const pixels = new Float32Array(width * height);
  pixels.set(decodePixels(state.pixels ?? '', pixels.length) ?? []);
  let erase = false, x = width / 2, y = height / 2;
  /** @type {{x: number, y: number}|null} */
  let before = null;
  const canvas = h('canvas.pad', {width, height, tabIndex: 0, role: 'img',
    'aria-label': 'Pad: draw with the pointer, or with arrow keys and the space bar',
    style: {'aspect-ratio': `${width} / ${height}`}});
  const show = () => paint(canvas, pixels);

  /** @param {PointerEvent} event */
  function follow(event) {
    if (!(event.buttons & 1)) {
      before = null;
      return;
    }
    const box = canvas.getBoundingClientRect();
    const to = {x: (event.clientX - box.left) * width / box.width, y: (event.clientY - box.top) * height / box.height};
    const from = before ?? to;
    const steps = Math.ceil(2 * Math.hypot(to.x - from.x, to.y - from.y)) || 1;
    for (let i = 1; i <= steps; i++)
      touch(pixels, dataset, from.x + (to.x - from.x) * i / steps, from.y + (to.y - from.y) * i / steps, erase);
    before = to;
    ({x, y} = to);
    show();
  }

  /** @param {KeyboardEvent} event */
  function key(event) {
    const move = {ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1], ' ': [0, 0]}[event.key];
    if (!move) return;
    event.preventDefault();
    x = Math.max(0.5, Math.min(width - 0.5, x + move[0]));
    y = Math.max(0.5, Math.min(height - 0.5, y + move[1]));
    if (event.key === ' ' || event.shiftKey) touch(pixels, dataset, x, y, erase);
    show();
  }

  canvas.addEventListener('pointerdown', (/** @type {PointerEvent} */ event) => {
    canvas.setPointerCapture(event.pointerId);
    before = null;
    follow(event);
  });
  canvas.addEventListener('pointermove', follow);
  canvas.addEventListener('keydown', key);
  const eraser = h('button', {type: 'button', 'aria-pressed': 'false', onclick: () => {
    erase = !erase;
    eraser.setAttribute('aria-pressed', String(erase));
  }}, 'Eraser');
  const {sample} = state;
  /** Whose standardisation the drawing takes: as before, the sample's it starts from, or the first. */
  let as = state.as ?? (sample === null ? run.datasets[0].name : samplePlace(run, sample).dataset);
  const kind = run.datasets.length > 1 ? h('label', {}, 'drawn as ', select(run.datasets.map(({name}) =>
    ({value: name, text: name})), as, 'Drawn as an image of', (name) => {
    as = name;
  })) : null;
  const hint = h('p.soft', {role: 'status'}, `Light on dark, ${width} × ${height} pixels, as the ` +
    'training images are. With the keyboard: arrows move, space paints, Shift with arrows draws.');
  const dialog = h('dialog.draw', {'aria-label': 'Draw', onclose: () => dialog.remove()},
    h('div.dialog-head', {}, h('h2', {}, 'Draw'), h('button.quiet', {type: 'button', 'aria-label': 'Close',
      onclick: () => dialog.close()}, '×')),
    canvas,
    hint, kind,
    h('div.buttons', {},
      h('button', {type: 'button', id: 'draw-ask', onclick: () => {
        actions.choose({run: run.id, sample: null, pixels: encodePixels(pixels), view: 'query', with: null,
          as: as === run.datasets[0].name ? null : as});
        dialog.close();
      }}, 'Ask'),
      eraser,
      h('button', {type: 'button', onclick: () => {
        pixels.fill(0);
        show();
      }}, 'Clear'),
      sample !== null && h('button', {type: 'button', id: 'draw-from', onclick: async () => {
        try {
          pixels.set(await samplePixels(run.id, sample, dataset));
          show();
        } catch {
          hint.textContent = 'The image cannot be loaded: is keylight serve still running?';
        }
      }}, 'Start from this image')));
  addEventListener('popstate', () => dialog.close(), {once: true});
  document.body.append(dialog);
  show();
  dialog.showModal();
}
