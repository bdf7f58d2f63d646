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
  described.replaceChildren();
  asked.abort();
  asked = new AbortController();
  const {description} = await getSample(run.id, sample, asked.signal).catch(() => ({description: ''}));
  if (box.dataset.sample === String(sample)) described.replaceChildren(words(description ?? ''));
}

/** Shows a sample of the run at a place of the window, with a line of text under it.
 *  @param {Run} run @param {number} sample @param {{clientX: number, clientY: number}} at @param {string} line */
export function showPreview(run, sample, at, line) {
  if (!box.isConnected) document.body.append(box);
  const url = imageUrl(run.id, sample, 4);
  image.hidden = run.kind === 'described';
  const isNew = box.dataset.sample !== String(sample);
  box.dataset.sample = String(sample);
  if (image.hidden && isNew) void describe(run, sample);
  if (!image.hidden && image.getAttribute('src') !== url) image.src = url;
  text.replaceChildren(nameOf(run, sample), h('br'), line);
  box.hidden = false;
  const {width, height} = box.getBoundingClientRect();
  const x = at.clientX + AWAY + width > innerWidth ? at.clientX - AWAY - width : at.clientX + AWAY;
  const y = Math.max(0, Math.min(at.clientY + AWAY, innerHeight - height - AWAY));
  box.style.transform = `translate(${Math.max(0, x)}px, ${y}px)`;
}

export function hidePreview() {
  box.hidden = true;
}
