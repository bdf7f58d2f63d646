// The first screen's answer: what the network looked at, what argued for its answer, and what against; by sample, in the
// last layer, where contributions are exact.

import {csvButton} from '../csv.js';
import {className, noun, outputName, short, signed} from '../format.js';
import {h, redraw} from '../dom.js';
import {depict} from '../depict.js';

/** @import {Actions, Card, Run, Strip} from '../types.js' */

/** How often it was shown. @param {number} repetitions */
export function times(repetitions) {
  return repetitions > 1 ? `× ${repetitions}` : '';
}

/** The strips of what would be missed: cards have a score. */
const MISSED = ['missed', 'walked'];

/** What a card of a strip is there for, and in words. @param {string} strip its id @param {Card & {score?: number}} card
 *  @returns {[number, string, string]} */
function valueOf(strip, {attention, contribution, score = 0}) {
  if (strip === 'looks') return [attention, 'attention', short(attention)];
  return MISSED.includes(strip) ? [score, 'loss', signed(score)] : [contribution, contribution < 0 ? 'takes' : 'adds', signed(contribution)];
}

/** @param {Run} run @param {{id: string, output: number}} strip @param {Card} card @param {number} place @param {number} most @param {(card: Card) => void} why */
function showCard(run, strip, card, place, most, why) {
  const {sample, attention, contribution, repetitions} = card, name = className(run, sample.dataset, sample.label);
  const [value, ...number] = valueOf(strip.id, card);
  const sign = value < 0 ? 'minus' : 'plus', shown = repetitions > 1 ? `, shown ${repetitions} times` : '';
  return h('li', {}, h('button.strip-card', {type: 'button', id: `strip-${strip.id}-${place + 1}`, 'data-sample': sample.id,
    'data-contribution': contribution, 'data-attention': attention,
    title: `training ${noun(run)} #${sample.index}${sample.path ? `, ${sample.path}` : ''}${attention === undefined ? '' : `: attention ${short(attention)}, ` +
      `${contribution === null ? '' : `adds ${signed(contribution)} to ${outputName(run, strip.output)}`}`}${shown}`,
    onclick: () => why(card)},
  h('span.frame', {}, depict(run.id, sample, 4)),
  h('span.strength', {'aria-hidden': 'true'}, h(`i.${sign}`, {style: {width: `${100 * Math.abs(value) / most}%`}})),
  h('span.line', {}, h('b', {}, h('i.dot', {'data-class': sample.label % 10}), name), h('span.soft', {}, times(repetitions))),
  h('span.line', {}, h('span.soft', {}, number[0]), h(`span.${sign}`, {}, number[1])),
  h('span.hidden', {}, `, training ${noun(run)} ${sample.index}${shown}. Why?`)));
}

/** @param {Run} run @param {{id: string, output: number, cards: any[]}} strip @param {(card: Card) => void} why */
export function showCards(run, strip, why) {
  const cards = /** @type {Card[]} */ (strip.cards);
  const most = Math.max(...cards.map((card) => Math.abs(valueOf(strip.id, card)[0])), 1e-30);
  return h('ol.strip-cards', {}, cards.map((card, place) => showCard(run, strip, card, place, most, why)));
}

/** Opens the whole ranking that a strip begins. @param {string} strip its id @param {string} rank @param {Actions} actions */
export function openButton(strip, rank, actions) {
  return h('button.quiet', {type: 'button', id: `open-${strip}`, onclick: () => {
    actions.choose({rank, by: 'sample', layer: null, class: null});
    document.getElementById('spotlight')?.scrollIntoView({block: 'start'});
  }}, 'open in the spotlight \u203a');
}

/** @param {HTMLElement} section @param {Strip[]} strips @param {string} subject for the names of files @param {Actions} actions
 *  @param {(strip: Strip) => Node} show what is in one @param {string|null} hint what a click does */
export function showStrips(section, strips, subject, actions, show, hint) {
  const rows = () => strips.flatMap((strip) => strip.cards.map((card, place) => {
    const {sample} = card, where = typeof sample === 'number' ? ['', sample, card.document?.name ?? '', card.texts?.[card.offset ?? 0] ?? ''] :
      [sample.dataset, sample.index, sample.path ?? '', sample.label];
    return [strip.title, place + 1, ...where, card.repetitions, card.attention, card.contribution ?? ''];
  }));
  redraw(section,
    h('div.head', {}, h('h2', {id: 'strips-title'}, 'What argued for the answer, and what against'), hint && h('span.soft', {}, hint),
      csvButton(`strips-${subject}`, 'the strips', ['strip', 'rank', 'dataset', 'training_index', 'file', 'label', 'repetitions',
        'attention', 'contribution'], rows)),
    ...strips.map((strip) => h('div.argument', {id: `strip-${strip.id}`, role: 'group', 'aria-labelledby': `strip-${strip.id}-title`},
      h('div.head', {}, h('h3', {id: `strip-${strip.id}-title`}, strip.title),
        openButton(strip.id, strip.rank, actions)),
      h('p.soft', {}, strip.sentence), show(strip))));
}
