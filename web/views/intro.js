// The question that the page answers, on top of it, until the person has read it.

import {noun, outputName} from '../format.js';
import {byId, h, redraw} from '../dom.js';

/** @import {Actions, Answer, Run} from '../types.js' */

const KEY = 'keylight-intro';

function dismissed() {
  try {
    return localStorage.getItem(KEY) === 'read';
  } catch {
    return false;
  }
}

/** @param {boolean} read */
function remember(read) {
  try {
    if (read) localStorage.setItem(KEY, 'read');
    else localStorage.removeItem(KEY);
  } catch {
    // Then it is asked again on the next visit.
  }
  byId('intro').hidden = read;
}

/** Back from the help, whatever was dismissed. */
export function bringIntroBack() {
  remember(false);
}

/** @param {string} question @param {string} seen @param {Actions} actions */
export function introduceWith(question, seen, actions) {
  const section = byId('intro');
  section.hidden = dismissed();
  redraw(section, h('p', {}, h('strong', {}, question), ' ', h('span.soft', {}, seen)),
    h('button', {type: 'button', id: 'take-tour', onclick: () => actions.choose({tour: 1})}, 'Show me around'),
    h('button.quiet', {type: 'button', id: 'dismiss-intro', 'aria-label': 'Do not show this line again',
      title: 'Do not show this again; “?” brings it back', onclick: () => remember(true)}, '×'));
}

/** @param {Run} run @param {Answer} answer @param {Actions} actions */
export function introduce(run, answer, actions) {
  const said = outputName(run, answer.predicted);
  introduceWith(`Which training ${noun(run)}s is this network looking at when it says ${said}?`,
    `Below: what it looks at, what argues for ${said}, what against.`, actions);
}
