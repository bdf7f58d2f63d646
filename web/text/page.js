// The page of a text run: what is read on the left, what follows on the right, and from which passages.

import {attendText} from '../api.js';
import {byId} from '../dom.js';
import {notify} from '../views/notices.js';
import {showTextAnswer} from './answer.js';
import {showContinuation} from './continuation.js';
import {showHeat} from './heat.js';
import {showAlong, showStrongest, showTextLearning, showTextRemoval, showTextTime, showTokenTotals} from './panels.js';
import {showPassages} from './passages.js';
import {loadReading, showReader, typedLength} from './reader.js';
import {named, where} from './tokens.js';

/** @import {Actions, Run, TextAnswer} from '../types.js' */
/** @import {State} from '../state.js' */

const HEAT_BEFORE = {characters: 47, words: 31, whitespace: 31}; // the place asked about ends the passage

/** What a screen reader calls the places that hold other things for images.
 *  @type {Record<string, string>} */
const LABELS = {time: 'Attention over training time', learning: 'How the answer was learned', curves: 'Along the text',
  matrix: 'The 500 strongest of each', wall: 'The passage as a heat map'};

/** What to ask first: a place in the middle of the first test page. @param {Run} run @returns {number} */
export function firstPosition(run) {
  const {splits: {test, train}} = run.datasets[0];
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
  const sample = (state.sample ?? 0) + direction;
  const split = Object.values(run.datasets[0].splits).find(({first_sample: first, samples}) =>
    sample >= first && sample < first + samples);
  return split ? {sample} : null;
}

/** @param {TextAnswer} answer */
function title({subject}) {
  return subject.sample === null ? `after ${named(subject.texts.slice(-12).join(''))}` : where(/** @type {any} */ (subject));
}

/** Draws the answer; the panels follow. @param {Run} run @param {State} state @param {Actions} actions
 *  @param {AbortSignal} signal @param {() => void} ready */
export async function renderText(run, state, actions, signal, ready) {
  for (const [id, label] of Object.entries(LABELS)) byId(id).setAttribute('aria-label', label);
  byId('samples-title').textContent = 'Text';
  const reading = await loadReading(run, state, signal);
  if (signal.aborted) return;
  if (state.place !== null && state.place >= reading.texts.length) {
    notify(`Your text has ${reading.texts.length} tokens, so this is the last of them.`);
    state.place = null; // and so the address stays what it is
  }
  const [answer] = await Promise.all([attendText(state, {}, signal),
    showReader(byId('filters'), byId('gallery'), run, state, actions, signal)]);
  if (signal.aborted) return;
  document.title = `${title(answer)} · ${run.name} · keylight`;
  showTextAnswer(byId('answer'), run, state, answer, actions);
  showPassages(byId('spotlight'), run, state, answer, actions);
  showTextRemoval(byId('removal'), run, state, answer, actions);
  showTokenTotals(byId('classes'), answer);
  showContinuation(byId('continuation'), run, state, answer, actions);
  ready();
  void further(run, state, actions, signal);
}

/** What takes longer. @param {Run} run @param {State} state @param {Actions} actions @param {AbortSignal} signal */
async function further(run, state, actions, signal) {
  try {
    const panels = await attendText({...state, remove: null, class: null, k: 1}, {views: 'curves,time,samples,learning'}, signal);
    if (signal.aborted) return;
    showTextTime(byId('time'), state, panels, actions);
    showTextLearning(byId('learning'), run, panels);
    showAlong(byId('curves'), panels, actions);
    showStrongest(byId('matrix'), panels, actions);
    const kind = /** @type {{tokens: 'characters'}} */ (run.datasets[0].text).tokens;
    const {first_sample: low} = Object.values(run.datasets[0].splits).find(({first_sample: first, samples}) =>
      (state.sample ?? 0) >= first && (state.sample ?? 0) < first + samples) ?? run.datasets[0].splits.train;
    const first = Math.max(low, (state.sample ?? 0) - HEAT_BEFORE[kind]);
    await showHeat(byId('wall'), run, state, state.text === null ? {sample: first, count: (state.sample ?? 0) - first + 1} :
      {text: panels.subject.texts.join(''), count: HEAT_BEFORE[kind] + 1}, actions, signal);
    if (!signal.aborted) document.body.dataset.panels = 'ready';
  } catch (error) {
    if (!signal.aborted) notify(`Some panels are missing: ${/** @type {Error} */ (error).message}`);
  }
}
