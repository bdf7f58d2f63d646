// The page of a run of images, or of described samples: the answer, what argues for and against it, whom it would miss, the spotlight.

import {askAll, askStrips, attend, getCommon, getSample} from '../api.js';
import {byId, goTo, h, redraw} from '../dom.js';
import {nounOfOne, outputName, percent, subjectFile, subjectName, whyNotDual} from '../format.js';
import {near, showPanelsWhenNear} from '../near.js';
import {offerAway} from '../take.js';
import {showAnswer} from '../views/answer.js';
import {introduce} from '../views/intro.js';
import {awaitMissed, showMissed} from '../views/missed.js';
import {notify} from '../views/notices.js';
import {showRemoval} from '../views/removal.js';
import {showRetrained} from '../views/retrained.js';
import {commonRank, showCommon, showSpotlight} from '../views/spotlight.js';
import {showCards, showStrips} from '../views/strips.js';
import {showTruth} from '../views/truth.js';
import {imageManner, tellsWhy} from './manner.js';

/** @import {Answer, Run, Sample, Strip, Subject, Visit} from '../types.js' */
/** @import {State} from '../state.js' */

/** What the sections above the panels can be taken away as. @type {Array<[string, string, string[]]>} */
const OFFERS = [['answer', 'answer', ['answer']], ['strips', 'strips', ['strips', 'card']], ['spotlight', 'spotlight', ['spotlight']],
  ['removal', 'removal', []]];

/** The answer, and what argued for and against it. @param {Visit} visit @param {Answer} answer @param {Strip[]} strips @param {Subject} subject */
function showFirstScreen(visit, answer, strips, subject) {
  const {run, state, actions} = visit;
  introduce(run, answer, actions);
  showAnswer(byId('answer'), run, answer, subject, actions);
  showStrips(byId('strips'), strips, subjectFile(subject), actions, (strip) => showCards(run, strip, tellsWhy(visit, subject, strip.output)),
    `All showings of ${nounOfOne(run)} are summed. A click tells why.`);
  if (run.dual) awaitMissed(run, state, actions);
  else redraw(byId('missed'));
  showRetrained(visit, imageManner(visit, answer, subject));
}

/** What was asked about last: another subject is brought into view, and told to who does not see it. */
let shownLast = '';

/** @param {Visit} visit @param {Answer} answer @param {Subject} subject */
function arrive({run, state}, answer, subject) {
  const name = `${run.id} ${state.sample ?? state.pixels}`, isFirst = shownLast === '';
  if (name === shownLast) return;
  shownLast = name;
  if (isFirst) return;
  const said = outputName(run, answer.predicted), label = 'target' in subject && subject.target !== answer.predicted ? `, labelled ${outputName(run, subject.target)}` : '';
  byId('said').textContent = `${subjectName(subject)}: called ${said}, ${percent(answer.probabilities[answer.predicted], 0)}${label}`;
  const {top, bottom} = byId('answer').getBoundingClientRect();
  if (bottom < 0 || top > innerHeight - 100) goTo('answer');
}

const HEAD_START_MS = 120; // that the first screen has before more is asked for
const PATIENCE_MS = 1000; // after which the spotlight of before is taken away

/** @param {number} ms */
function pause(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** @typedef {{run: Run, state: State, pixels: number[]|null}} Question */

/** What the first screen is made of. @param {Question} question @param {AbortSignal} signal @returns {Promise<[Answer, Strip[], Sample|null]>} */
function askFirst({run, state, pixels}, signal) {
  return Promise.all([/** @type {Promise<Answer>} */ (askAll(['answer', ...(run.datasets.length > 1 ? ['views/classes'] : [])], state, pixels, signal)),
    askStrips(state, pixels, signal), state.sample === null ? null : getSample(run.id, state.sample, signal)]);
}

const PRESS_MS = 1000; // a press that has become no click until then will become none

/** What was asked for at the press of a button, before the click. @type {{key: string, first: ReturnType<typeof askFirst>, control: AbortController}|null} */
let pressed = null;

/** Asks for what a click will show as soon as the button is pressed. @param {Run} run @param {State} state that the click will make */
export function askAhead(run, state) {
  const control = new AbortController(), first = askFirst({run, state, pixels: null}, control.signal);
  first.catch(() => {}); // it is told to who takes it
  pressed?.control.abort();
  const mine = pressed = {key: JSON.stringify(state), first, control};
  setTimeout(() => {
    if (pressed !== mine) return;
    control.abort();
    pressed = null;
  }, PRESS_MS);
}

/** The answer to what was asked ahead, or to what is asked now. @param {Visit} visit */
function firstOf({run, state, pixels, signal}) {
  const ahead = pressed;
  pressed = null;
  if (ahead?.key !== JSON.stringify(state)) {
    ahead?.control.abort();
    return askFirst({run, state, pixels}, signal);
  }
  signal.addEventListener('abort', () => ahead.control.abort());
  return ahead.first.catch((error) => {
    if (signal.aborted) throw error;
    return askFirst({run, state, pixels}, signal); // what went wrong then may go well now
  });
}

/** @param {Visit} visit */
export async function renderImage(visit) {
  const {run, state, pixels, actions, signal} = visit;
  const quick = firstOf(visit);
  quick.catch(() => {}); // it is told below
  const isEarly = await Promise.race([quick.then(() => true), pause(HEAD_START_MS)]);
  if (signal.aborted) return;
  const early = isEarly ? null : attend(state, pixels, signal);
  early?.catch(() => {});
  if (!isEarly) visit.frame();
  const [first, strips, sample] = await quick, subject = sample ?? {pixels: pixels ?? []};
  if (signal.aborted) return;
  document.title = `${subjectName(subject)} · ${run.name} · keylight`;
  document.body.dataset.mode = 'query';
  arrive(visit, first, subject);
  showFirstScreen(visit, first, strips, subject);
  const rest = early ?? attend(state, pixels, signal);
  rest.catch(() => {});
  if (isEarly) setTimeout(() => signal.aborted || visit.frame()); // after what was asked for is painted
  const late = setTimeout(() => {
    if (!signal.aborted) for (const id of ['spotlight', 'removal']) redraw(byId(id));
  }, PATIENCE_MS);
  const answer = {...first, ...await rest.finally(() => clearTimeout(late))};
  if (signal.aborted) return;
  showSpotlight(byId('spotlight'), run, state, answer, subject, actions);
  showTruth(byId('truth-place'), run, state, actions, signal);
  if (run.dual) showRemoval(byId('removal'), run, state, answer, subject, actions);
  else redraw(byId('removal'), h('p.soft', {}, `There are no contributions, and nothing can be taken out of the memory: ${whyNotDual(run)}.`));
  for (const [id, resource, figures] of OFFERS)
    if (resource !== 'removal' || state.remove !== null)
      offerAway(byId(id), run, state, pixels, {title: `the ${id}`, resource, figures});
  visit.ready('query');
  showPanelsWhenNear({...visit, subject, answer});
  if (run.dual) void showMissed(visit, imageManner(visit, answer, subject));
  void near(byId('spotlight'), signal).then(() => tellCommon(visit, answer)).catch((error) => {
    if (!signal.aborted) notify(`How common these are cannot be told: ${error.message}`);
  });
}

/** How common it is what is lit. @param {Visit} visit @param {Answer} answer */
async function tellCommon({run, signal}, answer) {
  if (!run.datasets.some((dataset) => dataset.splits.test.samples)) return;
  const common = await getCommon(run.id, answer.layer, commonRank(answer), answer.by, signal);
  if (!signal.aborted) showCommon(byId('spotlight'), answer, common);
}
