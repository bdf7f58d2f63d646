// Sentences for the person: what an address could not mean, what was copied.

import {byId, h} from '../dom.js';

/** @param {string} text @param {boolean} passing goes away by itself */
function notice(text, passing) {
  const element = h('p.notice', {}, text, h('button.quiet', {type: 'button',
    'aria-label': 'Dismiss', onclick: () => element.remove()}, '×'));
  if (passing) setTimeout(() => element.remove(), 6000);
  return element;
}

/** Shows these and takes away those of the address before. @param {string[]} texts */
export function showNotices(texts) {
  byId('notices').replaceChildren(...texts.map((text) => notice(text, false)));
}

/** @param {string} text */
export function notify(text) {
  byId('notices').append(notice(text, true));
}
