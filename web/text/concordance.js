// Strips of text: each line a place of the training text, the token that was read there in one column.

import {short, signed} from '../format.js';
import {h} from '../dom.js';
import {times} from '../views/strips.js';
import {visible} from './tokens.js';

/** @import {Actions, Strip} from '../types.js' */

/** A token in a line: white space as a sign. @param {string} text */
const mark = (text) => /^\s+$/.test(text) ? visible(text) : text.trim();

/** @param {Strip} strip @param {Strip['cards'][0]} card @param {number} place @param {Actions} actions */
function line(strip, card, place, actions) {
  const {texts = [], offset = 0, contribution, attention, repetitions} = card;
  const looks = strip.id === 'looks', plain = (/** @type {string[]} */ part) => part.join('').replace(/\s+/g, ' ').replace(/^ | $/g, '\u00a0');
  const sign = (looks ? attention : contribution ?? 0) < 0 ? 'minus' : 'plus';
  return h('li', {}, h('button.place', {type: 'button', id: `strip-${strip.id}-${place + 1}`, 'data-sample': Number(card.sample),
    'data-contribution': contribution ?? '', 'data-attention': attention,
    title: `${card.document?.name ?? ''}: attention ${short(attention)}${contribution === null ? '' : `, adds ${signed(contribution)}`}; ` +
      `shown ${repetitions} time${repetitions === 1 ? '' : 's'}. Ask about it.`,
    onclick: () => actions.explain(Number(card.sample))},
  h('span.before', {}, h('bdi', {}, plain(texts.slice(0, offset)))),
  h('span.at', {}, h('mark.lit', {style: {'--light': '1'}}, mark(texts[offset] ?? ''))),
  h('span.behind', {}, h('mark.follows', {title: 'what followed there'}, mark(texts[offset + 1] ?? '')), plain(texts.slice(offset + 2))),
  h('span.soft.often', {}, times(repetitions)),
  h('span.soft.named', {}, looks ? 'attention' : (contribution ?? 0) < 0 ? 'takes' : 'adds'),
  h(`span.number.${sign}`, {}, looks ? short(attention) : signed(contribution ?? 0))));
}

/** @param {Strip} strip @param {Actions} actions */
export function showConcordance(strip, actions) {
  return h('ol.concordance', {}, strip.cards.map((card, place) => line(strip, card, place, actions)));
}
