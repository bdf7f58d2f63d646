// The page of a text run: what is read on the left, what follows on the right, and from which passages.

import {askStrips, attend} from '../api.js';
import {byId, redraw} from '../dom.js';
import {showPanelsWhenNear} from '../near.js';
import {offerAway} from '../take.js';
import {introduceWith} from '../views/intro.js';
import {awaitMissed, showMissed} from '../views/missed.js';
import {notify} from '../views/notices.js';
import {showRetrained} from '../views/retrained.js';
import {showStrips} from '../views/strips.js';
import {showTruth} from '../views/truth.js';
import {fileOf, showTextAnswer, textOf} from './answer.js';
import {showConcordance} from './concordance.js';
import {showContinuation} from './continuation.js';
import {textManner} from './manner.js';
import {showPassages} from './passages.js';
import {showTextRemoval} from './removal.js';
import {loadReading, showReader, typedLength} from './reader.js';
import {named, where} from './tokens.js';

/** @import {Run, TextAnswer, Visit} from '../types.js' */
/** @import {State} from '../state.js' */

/** What the sections above the panels can be taken away as. @type {Array<[string, string[]]>} */
const OFFERS = [['answer', ['answer']], ['strips', ['strips']], ['spotlight', ['spotlight']]];

/** What to ask first: a place in the middle of the first test page. @param {Run} run @returns {number} */
export function firstPosition(run) {
  const {splits: {test, train}} = run.datasets[0];
  if (run.asked) return run.asked[Math.floor(run.asked.length / 2)];
  const split = test.samples ? test : train;
  return split.first_sample + Math.min(400, Math.floor(split.samples / 2));
}

/** The neighbour of the place asked about, as a change of the state; null: there is none.
 *  @param {Run} run @param {State} state @param {-1|1} direction */
export function neighbour(run, state, direction) {
  if (state.text !== null) {
    const length = typedLength(state);
    const place = (state.place ?? length - 1) + direction;
    return place < 0 || place >= length ? null : {place: place === length - 1 ? null : place};
  }
  if (run.asked) {
    const next = direction > 0 ? run.asked.find((one) => one > (state.sample ?? -1)) : run.asked.filter((one) => one < (state.sample ?? 0)).at(-1);
    return next === undefined ? null : {sample: next};
  }
  const sample = (state.sample ?? 0) + direction;
  const split = Object.values(run.datasets[0].splits).find(({first_sample: first, samples}) =>
    sample >= first && sample < first + samples);
  return split ? {sample} : null;
}

/** @param {TextAnswer} answer */
function title({subject}) {
  return subject.sample === null ? `after ${named(subject.texts.slice(-12).join(''))}` : where(/** @type {any} */ (subject));
}

/** @param {Visit} visit */
export async function renderText(visit) {
  const {run, state, actions, signal} = visit;
  byId('samples-title').textContent = 'Text';
  const reading = await loadReading(run, state, signal);
  if (signal.aborted) return;
  if (state.place !== null && state.place >= reading.texts.length) {
    notify(`Your text has ${reading.texts.length} tokens, so this is the last of them.`);
    state.place = null; // and so the address stays what it is
  }
  const [answer, strips] = await Promise.all([attend(state, null, signal, true), askStrips(state, null, signal, true),
    showReader(byId('filters'), byId('gallery'), run, state, actions, signal)]);
  if (signal.aborted) return;
  const said = named(textOf(answer, answer.predicted));
  document.title = `${title(answer)} · ${run.name} · keylight`;
  introduceWith(`Which passages is this network reading from when it expects ${said}?`, `Below: what it reads from, what argues for ${said}, what against.`, actions);
  showTextAnswer(byId('answer'), run, state, answer, actions);
  showStrips(byId('strips'), strips, fileOf(answer), actions, (strip) => showConcordance(strip, actions), 'A click on a line asks about its place.');
  const manner = textManner(visit, answer), {dual} = answer.exactness;
  if (dual) awaitMissed(run, state, actions);
  else redraw(byId('missed'));
  showRetrained(visit, manner);
  showPassages(byId('spotlight'), run, state, answer, actions);
  showTruth(byId('truth-place'), run, state, actions, signal);
  showTextRemoval(byId('removal'), run, state, answer, actions);
  for (const [id, figures] of OFFERS) offerAway(byId(id), run, state, null, {title: `the ${id}`, resource: id, figures});
  if (run.recorded) redraw(byId('continuation'));
  else showContinuation(byId('continuation'), run, state, answer, actions);
  visit.ready('query');
  if (dual) void showMissed(visit, manner);
  showPanelsWhenNear({...visit, subject: null, answer});
}
