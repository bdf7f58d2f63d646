// Keys for what is done often: one letter each, listed by "?", and switched off there by who does not want them.

import {h} from './dom.js';

const KEPT_AS = 'keylight-keys';

/**
 * @typedef {object} Key
 * @property {string} key
 * @property {string} text what it does
 * @property {() => void} act
 */

/** @type {Key[]} */
let keys = [];

let isOn = true;
try {
  isOn = localStorage.getItem(KEPT_AS) !== 'off';
} catch {
  // Storage may be forbidden: then they are on.
}

/** Whether single letters do something from now on. @param {boolean} on */
function turn(on) {
  isOn = on;
  try {
    localStorage.setItem(KEPT_AS, on ? 'on' : 'off');
  } catch {
    // Then it lasts until the page is left.
  }
}

/** Where a person writes, or moves within, letters are letters. @param {EventTarget|null} target */
function isTyping(target) {
  return target instanceof HTMLElement && (target.isContentEditable || /^(INPUT|SELECT|TEXTAREA)$/.test(target.tagName));
}

/** From now on. @param {Key[]} table */
export function listen(table) {
  keys = table;
  document.addEventListener('keydown', (event) => {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target) || document.querySelector('dialog[open]')) return;
    const found = keys.find(({key}) => key === (event.shiftKey ? event.key : event.key.toLowerCase()));
    if (!found || !isOn) return;
    event.preventDefault();
    found.act();
  });
}

/** What there is, with a switch. */
export function keyList() {
  return [h('h3', {}, 'Keys'),
    h('dl.keys', {}, [...keys.map(({key, text}) => [h('dt', {}, h('kbd', {}, key)), h('dd', {}, text)]),
      [h('dt', {}, h('kbd', {}, '\u2190 \u2191 \u2193 \u2192')), h('dd', {}, 'in the gallery and on the map: move, Enter asks; in the gallery Home, End, Page Up and Page Down, too; how it works: back and forth')],
      [h('dt', {}, h('kbd', {}, 'Esc')), h('dd', {}, 'ends a dialog, the tour, or picking a sample to compare with')]].flat()),
    h('label.keys-on', {}, h('input', {type: 'checkbox', id: 'keys-on', checked: isOn, onchange: (/** @type {Event} */ event) =>
      turn(/** @type {HTMLInputElement} */ (event.target).checked)}), ' Single letters do this')];
}
