// A picture of one's own to ask about: a file that is chosen, dropped or pasted, or a drawing, with a pointer or with arrow
// keys and the space bar.

import {canDraw, decodePixels, encodeDrawing, encodePicture, isDrawing} from '../pixels.js';
import {fitPicture, groundOf, paint, planes, samplePixels} from '../picture.js';
import {h, select} from '../dom.js';
import {samplePlace} from '../format.js';

/** @import {Dataset, RunSummary} from '../types.js' */
/** @import {State} from '../state.js' */
/** @import {Actions} from '../types.js' */

const UNDONE = 50; // strokes that can be taken back

/** A pen of soft edge around (x, y), in pixels: towards ink. @param {Float32Array} pixels @param {Dataset} dataset
 *  @param {number} x @param {number} y @param {number} radius @param {number} ink */
function touch(pixels, {width, height}, x, y, radius, ink) {
  for (let py = Math.max(0, Math.floor(y - radius - 1)); py <= Math.min(height - 1, y + radius + 1); py++) {
    for (let px = Math.max(0, Math.floor(x - radius - 1)); px <= Math.min(width - 1, x + radius + 1); px++) {
      const share = Math.max(0, Math.min(1, radius + 0.5 - Math.hypot(px + 0.5 - x, py + 0.5 - y)));
      const at = py * width + px, value = pixels[at] + (ink - pixels[at]) * share;
      pixels[at] = ink > 127 ? Math.max(pixels[at], value) : Math.min(pixels[at], value);
    }
  }
}

/** The pad: its canvas, and what can be done to it. @param {Dataset} dataset @param {boolean} canvasOnly nothing is drawn by hand */
function makePad(dataset, canvasOnly) {
  const {width, height, channels} = dataset;
  const pad = {pixels: new Float32Array(width * height * channels), ink: 255, ground: 0, erase: false,
    radius: Math.max(1, Math.min(width, height) / 20), isPicture: false, touched: false, show: () => {}, keep, undo};
  /** @type {{pixels: Float32Array, isPicture: boolean}[]} */
  const before = [];
  let x = width / 2, y = height / 2;
  /** @type {{x: number, y: number}|null} */
  let last = null;
  const canvas = h('canvas.pad', {width, height, role: 'img', tabIndex: canvasOnly ? -1 : 0, 'aria-label': canvasOnly ? 'Your picture, as the network gets it' :
    'Pad: draw with the pointer, or with arrow keys and the space bar', style: {'aspect-ratio': `${width} / ${height}`}});

  /** Keeps what stands there, to be taken back to. */
  function keep() {
    before.push({pixels: pad.pixels.slice(), isPicture: pad.isPicture});
    pad.touched = true;
    if (before.length > UNDONE) before.shift();
  }

  function undo() {
    const earlier = before.pop();
    if (earlier) {
      pad.pixels.set(earlier.pixels);
      pad.isPicture = earlier.isPicture;
    }
    pad.show();
  }

  const dab = (/** @type {number} */ atX, /** @type {number} */ atY) => {
    touch(pad.pixels, dataset, atX, atY, pad.radius, pad.erase ? pad.ground : pad.ink);
  };

  /** @param {PointerEvent} event */
  function follow(event) {
    if (!(event.buttons & 1)) {
      last = null;
      return;
    }
    const box = canvas.getBoundingClientRect();
    const to = {x: (event.clientX - box.left) * width / box.width, y: (event.clientY - box.top) * height / box.height};
    const from = last ?? to, steps = Math.ceil(2 * Math.hypot(to.x - from.x, to.y - from.y)) || 1;
    for (let i = 1; i <= steps; i++) dab(from.x + (to.x - from.x) * i / steps, from.y + (to.y - from.y) * i / steps);
    last = to;
    ({x, y} = to);
    pad.show();
  }

  /** @param {KeyboardEvent} event */
  function key(event) {
    if ((event.ctrlKey || event.metaKey) && event.key === 'z') {
      event.preventDefault();
      undo();
      return;
    }
    const move = {ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1], ' ': [0, 0]}[event.key];
    if (!move) return;
    event.preventDefault();
    x = Math.max(0.5, Math.min(width - 0.5, x + move[0]));
    y = Math.max(0.5, Math.min(height - 0.5, y + move[1]));
    if (event.key === ' ' || event.shiftKey) {
      if (!event.repeat) keep();
      dab(x, y);
    }
    pad.show();
  }

  if (!canvasOnly) {
    canvas.addEventListener('pointerdown', (/** @type {PointerEvent} */ event) => {
      canvas.setPointerCapture(event.pointerId);
      last = null;
      keep();
      follow(event);
    });
    canvas.addEventListener('pointermove', follow);
    canvas.addEventListener('keydown', key);
  }
  return {pad, canvas};
}

/** Undo, eraser, pen: for what is drawn by hand. @param {ReturnType<typeof makePad>['pad']} pad @param {Dataset} dataset */
function tools(pad, {width, height}) {
  const eraser = h('button', {type: 'button', 'aria-pressed': 'false', onclick: () => {
    pad.erase = !pad.erase;
    eraser.setAttribute('aria-pressed', String(pad.erase));
  }}, 'Eraser');
  const size = h('input', {type: 'range', id: 'draw-size', min: '0.5', max: String(Math.max(2, Math.min(width, height) / 6)), step: '0.25',
    value: String(pad.radius), oninput: () => {
      pad.radius = Number(size.value);
    }});
  return [h('label.brush', {}, 'pen ', size), h('button', {type: 'button', id: 'draw-undo', onclick: pad.undo}, 'Undo'), eraser,
    h('button', {type: 'button', id: 'draw-clear', onclick: () => {
      pad.keep();
      pad.pixels.fill(pad.ground);
      pad.isPicture = false;
      pad.show();
    }}, 'Clear')];
}

/** @param {RunSummary} run @param {State} state @param {Actions} actions @param {Blob} [file] to begin with */
export function openPad(run, state, actions, file) {
  const [dataset] = run.datasets, {width, height} = dataset, byHand = canDraw(run), {sample} = state;
  const {pad, canvas} = makePad(dataset, !byHand), known = decodePixels(state.pixels ?? '', pad.pixels.length);
  pad.isPicture = known !== undefined && !isDrawing(state.pixels ?? '', pad.pixels.length);
  pad.show = () => {
    paint(canvas, pad.pixels);
    ask.disabled = !known && !pad.touched;
  };
  /** Whose standardisation the picture takes: as before, the sample's it starts from, or the first. */
  let as = state.as ?? (sample === null ? dataset.name : samplePlace(run, sample).dataset);
  const kind = run.datasets.length > 1 ? h('label', {}, 'taken as ', select(run.datasets.map(({name}) => ({value: name, text: name})), as,
    'Taken as an image of', (name) => {
      as = name;
    })) : null;
  const hint = h('p.soft', {role: 'status', id: 'draw-hint'});
  const tell = () => {
    hint.textContent = `${width} × ${height} pixels, as the training images are. ` + (byHand ?
      `Draw ${pad.ink > pad.ground ? 'light on dark' : 'dark on light'}, or choose, drop or paste a picture. ` +
      'With the keyboard: arrows move, space paints, Shift with arrows draws.' : 'Choose, drop or paste a picture.');
  };
  const take = async (/** @type {Blob} */ picture) => {
    try {
      const {pixels, inverted} = await fitPicture(picture, run);
      pad.keep();
      pad.pixels.set(pixels);
      pad.isPicture = true;
      pad.show();
      hint.textContent = `Your picture at ${width} × ${height} pixels, as the network gets it${inverted ?
        '; dark and light are exchanged, as the training images have them' : ''}.`;
    } catch {
      hint.textContent = 'This is no picture that the browser can read: take a PNG or a JPEG.';
    }
  };
  const input = h('input.hidden', {type: 'file', accept: 'image/*', id: 'draw-file', 'aria-label': 'A picture of your own', onchange: () => {
    if (input.files?.[0]) void take(input.files[0]);
  }});
  const ask = h('button', {type: 'button', id: 'draw-ask', disabled: true, onclick: () => {
    actions.choose({run: run.id, sample: null, pixels: pad.isPicture ? encodePicture(pad.pixels) : encodeDrawing(pad.pixels), view: 'query', with: null,
      as: as === dataset.name ? null : as});
    dialog.close();
  }}, 'Ask');
  const dialog = h('dialog.draw', {'aria-label': 'Your own picture', onclose: () => dialog.remove()},
    h('div.dialog-head', {}, h('h2', {}, 'Your own picture'), h('button.quiet', {type: 'button', 'aria-label': 'Close',
      onclick: () => dialog.close()}, '×')),
    canvas, hint, kind, input,
    h('div.buttons', {}, ask,
      h('button', {type: 'button', id: 'draw-choose', onclick: () => input.click()}, 'Choose a file…'),
      byHand ? tools(pad, dataset) : null,
      sample !== null && h('button', {type: 'button', id: 'draw-from', onclick: async () => {
        try {
          const pixels = planes(await samplePixels(run.id, sample, dataset), dataset);
          pad.keep();
          pad.pixels.set(pixels);
          pad.isPicture = true;
          pad.show();
        } catch {
          hint.textContent = 'The image cannot be loaded: is keylight serve still running?';
        }
      }}, 'Start from this image')));
  addEventListener('popstate', () => dialog.close(), {once: true});
  dialog.addEventListener('picture', (/** @type {CustomEvent<Blob>} */ event) => void take(event.detail));
  document.body.append(dialog);
  dialog.showModal();
  void groundOf(run).then((ground) => {
    Object.assign(pad, {ground, ink: ground < 128 ? 255 : 0});
    if (known) pad.pixels.set(known);
    else if (!pad.touched) pad.pixels.fill(ground);
    tell();
    pad.show();
    dialog.dataset.ready = '';
    if (file) void take(file);
  });
}

/** Takes pictures that are dropped or pasted anywhere on the page. @param {(file: Blob) => void} open */
export function takeDropped(open) {
  const hand = (/** @type {Blob|undefined} */ file) => {
    if (!file?.type.startsWith('image/')) return false;
    const dialog = document.querySelector('dialog.draw');
    if (dialog) dialog.dispatchEvent(new CustomEvent('picture', {detail: file}));
    else open(file);
    return true;
  };
  addEventListener('dragover', (event) => {
    if (event.dataTransfer?.types.includes('Files')) event.preventDefault();
  });
  addEventListener('drop', (event) => {
    if (event.dataTransfer?.types.includes('Files')) event.preventDefault();
    hand(event.dataTransfer?.files[0]);
  });
  addEventListener('paste', (event) => {
    if (hand([...event.clipboardData?.files ?? []][0])) event.preventDefault();
  });
}
