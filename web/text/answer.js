// What the model expects next, from which initial guess and which correction.

import {csvButton} from '../csv.js';
import {h, redraw} from '../dom.js';
import {agreement, fixed, percent, short, signed, whyNotDual} from '../format.js';
import {marked, named, visible, where} from './tokens.js';

/** @import {Actions, Run, TextAnswer} from '../types.js' */
/** @import {State} from '../state.js' */

const SHOWN = 10;
const CONTEXT = 120; // tokens of what was read that are shown

/** The file name of what is asked about. @param {TextAnswer} answer */
export function fileOf(answer) {
  return answer.subject.sample === null ? 'typed' : `${answer.subject.split}-${answer.subject.index}`;
}

/** A token's text in the answer's lists. @param {TextAnswer} answer @param {number} token */
export function textOf(answer, token) {
  return answer.next.find((one) => one.token === token)?.text ?? '';
}

/** @param {TextAnswer} answer */
function verdict(answer) {
  if (answer.target === null) return h('p.verdict', {}, h('span.soft', {}, 'nothing follows in what you typed'));
  const right = answer.target === answer.predicted;
  return h('p.verdict', {}, right ? 'and so it goes on' :
    ['it goes on with ', h('strong', {}, named(textOf(answer, answer.target)))],
  h('span.soft', {}, `${fixed(/** @type {number} */ (answer.bits), 1)} bits of surprise`));
}

/** @param {TextAnswer} answer */
function table(answer) {
  const rows = answer.next.filter((one, i) => i < SHOWN || one.token === answer.target || one.token === answer.logit);
  const dual = answer.exactness.dual, partly = answer.exactness.left_out > 0 || answer.history_share !== undefined;
  const values = rows.flatMap((row) => [row.logit, row.initial_guess ?? 0, 0]);
  const low = Math.min(...values), high = Math.max(...values, low + 1e-9);
  const left = (/** @type {number} */ value) => 100 * (value - low) / (high - low);
  const bar = (/** @type {string} */ kind, /** @type {number} */ from, /** @type {number} */ to) => h(`i.${kind}`, {
    style: {left: `${left(Math.min(from, to))}%`, width: `${Math.abs(left(to) - left(from))}%`}});
  return h('table.logits.next', {},
    h('caption.hidden', {}, 'The most probable next tokens, and how their logits came about'),
    h('thead', {}, h('tr', {}, ['Next', 'probability', '', 'logit', ...(dual ? ['= guess', '+ correction', ...(partly ? [answer.history_share ? '+ not here' : '+ left out'] : []), ''] : [])].map((name, i) =>
      name === '' ? h('td.scale') : h('th', {scope: 'col', className: [i ? 'number' : '', i >= 4 ? 'part' : ''].join(' ').trim()}, name)))),
    h('tbody', {}, rows.map((row) => h('tr', {className: row.token === answer.predicted ? 'said' :
      row.token === answer.target ? 'labelled' : ''},
    h('th', {scope: 'row'}, h('code', {}, visible(row.text)), row.token === answer.target ? h('span.soft', {}, ' ✓') : null),
    h('td.number', {}, percent(row.probability, row.probability < 0.1 ? 2 : 1)),
    h('td.share', {}, h('span.track', {'aria-hidden': 'true'}, h(row.token === answer.predicted ? 'i.said' : 'i', {
      style: {width: `${100 * row.probability}%`}}))),
    h('td.number', {}, fixed(row.logit, 2)),
    dual ? [h('td.number.part', {}, fixed(row.initial_guess ?? 0, 2)), h('td.number.part', {}, signed(row.correction ?? 0)), partly && h('td.number.part', {}, signed(row.unrecorded ?? 0)),
      h('td.scale', {'aria-hidden': 'true', style: {'--zero': `${left(0)}%`}}, bar('guess', 0, row.initial_guess ?? 0),
        bar((row.correction ?? 0) < 0 ? 'minus' : 'plus', row.initial_guess ?? 0, row.logit))] : null))));
}

/** How exact the sum is. @param {Run} run @param {TextAnswer} answer */
export function exactness(run, answer) {
  const {dual, max_abs_error: error, left_out: leftOut} = answer.exactness;
  if (!dual) return `${whyNotDual(run)}: attention only, no contributions`;
  return leftOut > 0 && !answer.history_share ?
    `approximate: the smallest error signals were left out (${percent(leftOut, 2)} of their squared length); for the tokens of this vocabulary they add up to as much as ${short(error ?? 0)} of a logit` :
    agreement(answer);
}

/** @param {HTMLElement} section @param {Run} run @param {State} state @param {TextAnswer} answer @param {Actions} actions */
export function showTextAnswer(section, run, state, answer, actions) {
  const {texts, place} = answer.subject;
  const from = Math.max(0, texts.length - CONTEXT);
  const rows = () => answer.next.map((row) => [row.token, row.text, row.probability, row.logit, row.initial_guess, row.correction, row.unrecorded ?? 0]);
  redraw(section,
    h('div.said-so', {},
      h('div.head', {}, h('h2', {id: 'answer-title'}, 'What follows?')),
      h('div.context', {}, h('p', {}, from > 0 ? '…' : '', ...marked(texts.slice(from), new Map([[place - from, {className: 'asked'}]])))),
      h('p.soft', {}, answer.subject.sample === null ? 'your text' : where(/** @type {any} */ (answer.subject))),
      answer.subject.missing?.length ? h('p.missing', {role: 'note'}, 'Not in the vocabulary, read as unknown: ',
        answer.subject.missing.flatMap((text, i) => [i ? ', ' : '', h('b', {}, text)])) : null,
      h('p.predicted', {}, h('code', {}, visible(textOf(answer, answer.predicted))), ' ',
        h('span.soft', {}, percent(answer.next[0].probability))),
      verdict(answer),
      h('div.steps', {},
        h('button', {type: 'button', id: 'previous', onclick: () => actions.step(-1)}, '‹ token'),
        h('button', {type: 'button', id: 'next', onclick: () => actions.step(1)}, 'token ›')),
      h('div', {id: 'continuation'})),
    h('div.why', {},
      h('div.head', {}, h('h2', {}, 'Next tokens'), csvButton(`next-${fileOf(answer)}`, 'the next tokens',
        ['token', 'text', 'probability', 'logit', 'initial_guess', 'correction', 'left_out'], rows)),
      table(answer),
      h('p.legend', {}, answer.exactness.dual ? [h('i.swatch.guess'), 'initial guess ', h('i.swatch.plus'), 'correction up ',
        h('i.swatch.minus'), 'correction down · '] : [], exactness(run, answer))));
}
