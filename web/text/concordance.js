// Strips of text: each line a place of the training text, the token that was read there in one column.

import {short, signed} from '../format.js';
import {h} from '../dom.js';
import {times} from '../views/strips.js';
import {visible} from './tokens.js';

/** @import {Actions, Strip} from '../types.js' */
/** @typedef {Strip['cards'][0] & {score?: number}} Line score: what the loss would rise by */

/** A token in a line: white space as a sign. @param {string} text */
const mark = (text) => /^\s+$/.test(text) ? visible(text) : text.trim();

/** What a line of a strip is there for, and in words. @param {string} strip its id @param {Line} card @returns {[number, string, string]} */
function valueOf(strip, {attention, contribution, score}) {
  if (strip === 'looks') return [attention, 'attention', short(attention)];
  if (score !== undefined) return [score, 'loss', signed(score)];
  return [contribution ?? 0, (contribution ?? 0) < 0 ? 'takes' : 'adds', signed(contribution ?? 0)];
}

/** @param {string} strip its id @param {Line} card @param {number} place @param {Actions} actions */
function line(strip, card, place, actions) {
  const {texts = [], offset = 0, contribution, attention, repetitions} = card;
  const plain = (/** @type {string[]} */ part) => part.join('').replace(/\s+/g, ' ').replace(/^ | $/g, '\u00a0');
  const [value, what, number] = valueOf(strip, card), sign = value < 0 ? 'minus' : 'plus';
  return h('li', {}, h('button.place', {type: 'button', id: `strip-${strip}-${place + 1}`, 'data-sample': Number(card.sample),
    'data-contribution': contribution ?? '', 'data-attention': attention,
    title: `${card.document?.name ?? ''}: ${attention ? `attention ${short(attention)}` : what}${contribution === null ? '' : `, adds ${signed(contribution)}`}; ` +
      `shown ${repetitions} time${repetitions === 1 ? '' : 's'}. Ask about it.`,
    onclick: () => actions.explain(Number(card.sample))},
  h('span.before', {}, h('bdi', {}, plain(texts.slice(0, offset)))),
  h('span.at', {}, h('mark.lit', {style: {'--light': '1'}}, mark(texts[offset] ?? ''))),
  h('span.behind', {}, h('mark.follows', {title: 'what followed there'}, mark(texts[offset + 1] ?? '')), plain(texts.slice(offset + 2))),
  h('span.soft.often', {}, times(repetitions)),
  h('span.soft.named', {}, what),
  h(`span.number.${sign}`, {}, number)));
}

/** @param {{id: string, cards: Line[]}} strip @param {Actions} actions */
export function showConcordance(strip, actions) {
  return h('ol.concordance', {}, strip.cards.map((card, place) => line(strip.id, card, place, actions)));
}
