// The training image under the pointer, beside it.

import {getSample, imageUrl} from './api.js';
import {h} from './dom.js';
import {nameOf} from './format.js';
import {words} from './words.js';

/** @import {Run} from './types.js' */

const AWAY = 16;

const image = h('img', {alt: ''});
const described = h('span');
const text = h('span');
let asked = new AbortController();
const box = h('div.preview', {hidden: true, 'aria-hidden': 'true'}, image, described, text);

/** Fetches the words of a sample, which are shown if it is still the one under the pointer. @param {Run} run @param {number} sample */
async function describe(run, sample) {
  asked.abort();
  asked = new AbortController();
  const {description} = await getSample(run.id, sample, asked.signal).catch(() => ({description: ''}));
  if (box.dataset.of !== `${run.id}/${sample}`) return;
  described.replaceChildren(words(description ?? ''));
  place();
}

let pointer = {clientX: 0, clientY: 0};

/** Beside the pointer, within the window. */
function place() {
  const {width, height} = box.getBoundingClientRect();
  const x = pointer.clientX + AWAY + width > innerWidth ? pointer.clientX - AWAY - width : pointer.clientX + AWAY;
  const y = Math.max(0, Math.min(pointer.clientY + AWAY, innerHeight - height - AWAY));
  box.style.transform = `translate(${Math.max(0, x)}px, ${y}px)`;
}

/** Shows a sample of the run at a place of the window, with a line of text under it.
 *  @param {Run} run @param {number} sample @param {{clientX: number, clientY: number}} at @param {string} line */
export function showPreview(run, sample, at, line) {
  if (!box.isConnected) document.body.append(box);
  const of = `${run.id}/${sample}`, isNew = box.dataset.of !== of;
  box.dataset.of = of;
  box.dataset.sample = String(sample);
  image.hidden = run.kind === 'described';
  if (isNew) {
    described.replaceChildren();
    if (image.hidden) void describe(run, sample);
    else image.src = imageUrl(run.id, sample, 4);
  }
  text.replaceChildren(nameOf(run, sample), h('br'), line);
  box.hidden = false;
  pointer = {clientX: at.clientX, clientY: at.clientY};
  place();
}

export function hidePreview() {
  box.hidden = true;
}
