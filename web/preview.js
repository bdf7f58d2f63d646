// The training image under the pointer, beside it.

import {imageUrl} from './api.js';
import {h} from './dom.js';
import {nameOf} from './format.js';

/** @import {Run} from './types.js' */

const AWAY = 16;

const image = h('img', {alt: ''});
const text = h('span');
const box = h('div.preview', {hidden: true, 'aria-hidden': 'true'}, image, text);

/** Shows a sample of the run at a place of the window, with a line of text under it.
 *  @param {Run} run @param {number} sample @param {{clientX: number, clientY: number}} at @param {string} line */
export function showPreview(run, sample, at, line) {
  if (!box.isConnected) document.body.append(box);
  const url = imageUrl(run.id, sample, 4);
  if (image.getAttribute('src') !== url) image.src = url;
  text.replaceChildren(nameOf(run, sample), h('br'), line);
  box.hidden = false;
  const {width, height} = box.getBoundingClientRect();
  const x = at.clientX + AWAY + width > innerWidth ? at.clientX - AWAY - width : at.clientX + AWAY;
  const y = Math.max(0, Math.min(at.clientY + AWAY, innerHeight - height - AWAY));
  box.style.transform = `translate(${Math.max(0, x)}px, ${y}px)`;
  box.dataset.sample = String(sample);
}

export function hidePreview() {
  box.hidden = true;
}
