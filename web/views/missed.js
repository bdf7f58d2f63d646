// Whom the answer would miss most, had the network not seen them: an estimate at once, the walk back through the training as a job.

import {choice, h, redraw} from '../dom.js';
import {count, nameOf, noun, outputName, signed} from '../format.js';
import {duration, followJob} from '../jobs.js';
import {canRetrain, retrainButton} from './retrained.js';
import {openButton, showCards} from './strips.js';

/** @import {Actions, Answer, Card, Run, Walked} from '../types.js' */
/** @import {State} from '../state.js' */

export const MISSED = 10; // images that would be missed most
const TRAININGS = 4; // that a walk from one sample takes as long as

/** Room for what comes later: its heading. @param {HTMLElement} section */
export function awaitMissed(section) {
  redraw(section, h('div.head', {}, h('h2', {id: 'missed-title'}, 'If it had not seen them'), h('span.soft', {}, 'One moment\u2026')));
}

/** @param {Run} run @param {State} state @param {Actions} actions @param {Node|null} open */
function head(run, state, actions, open) {
  return h('div.head', {}, h('h2', {id: 'missed-title'}, 'If it had not seen them'),
    run.errands.includes('walk') && state.sample !== null ? choice([{value: 'estimate', text: 'estimated', title: 'At once, from decorrelated contributions'},
      {value: 'walk', text: 'walked back', title: 'By differentiating through the training, backwards'}], state.missed, 'Missed',
    (value) => actions.choose({missed: /** @type {any} */ (value)})) : h('span.soft', {}, 'An estimate'), open);
}

/** The truth of it, a click away. @param {Run} run @param {State} state @param {number} n @param {string} without @param {Actions} actions */
function again(run, state, n, without, actions) {
  if (!canRetrain(run, state))
    return h('p.soft', {}, run.recorded ? 'Only training again tells how far that is true.' : 'Training again tells how far that is true; it is for samples of the run, not for pictures of one\u2019s own.');
  return h('p.again', {}, retrainButton(run, state, 'retrain-missed', `Train again without these ${n}`, {without, among: 'influence'}, actions),
    h('span.soft', {}, ' for what becomes of it really.'));
}

/** The estimate. @param {HTMLElement} section @param {Run} run @param {State} state @param {Answer} answer its spotlight by influence, by sample
 *  @param {Actions} actions @param {(card: Card) => void} why */
export function showMissed(section, run, state, answer, actions, why) {
  const cards = /** @type {any[]} */ (answer.spotlight).filter(({score}) => score > 0), sum = cards.reduce((total, {score}) => total + score, 0);
  const output = answer.target ?? answer.predicted, name = outputName(run, output);
  redraw(section, head(run, state, actions, openButton('missed', 'influence', actions)),
    ...cards.length ? [h('p.soft', {}, `Trained without these ${cards.length}, its loss for ${name} would rise by about ${signed(sum)}, all layers together: an estimate, of which the order counts more than the size.`),
      showCards(run, {id: 'missed', output, cards}, why), again(run, state, cards.length, `top:${cards.length}`, actions)] :
      [h('p.soft', {}, `Without any of them its loss for ${name} would not rise.`)]);
}

/** @param {Run} run @param {State} state @param {number} output @param {Walked} walked @param {Actions} actions @param {(card: Card) => void} why */
function walkedStrip(run, state, output, walked, actions, why) {
  const [query] = walked.queries, cards = query.influence.slice(0, MISSED).map((missed) => ({...missed, score: missed.influence, contribution: 0}));
  const sum = cards.reduce((total, {score}) => total + score, 0), name = outputName(run, output);
  if (!cards.length) return [h('p.soft', {}, `Without any of them its loss for ${name} would not rise.`)];
  return [h('p.soft', {}, `Walked back over steps ${count(walked.first_step)} to ${count(walked.last_step)}${walked.damping ? ', of which the early ones count less' : ''}: trained without these ${cards.length}, its loss for ${name} would rise by about ` +
    `${signed(sum)}; their order counts more than the size.`),
  showCards(run, {id: 'walked', output, cards}, why), again(run, state, cards.length, cards.map(({sample}) => `sample:${sample.id}`).join(','), actions)];
}

/** The walk, as a job. @param {HTMLElement} section @param {Run} run @param {State} state @param {number} output its label
 *  @param {Actions} actions @param {(card: Card) => void} why @param {AbortSignal} signal */
export function showWalked(section, run, state, output, actions, why, signal) {
  const place = h('div.walked', {});
  redraw(section, head(run, state, actions, null), place);
  void followJob(place, {id: 'walk', run: run.id, kind: 'walk', words: {sample: nameOf(run, /** @type {number} */ (state.sample))}, signal, label: 'Walk back',
    doing: 'Walking back through the training\u2026',
    takes: (seconds) => `By differentiating through the training, backwards from the loss of this ${noun(run)}: of what is told here, what comes closest to training again. ` +
      (seconds === null ? `It takes about ${TRAININGS} trainings.` : `It takes about ${duration(TRAININGS * seconds)}.`),
    show: (answer) => walkedStrip(run, state, output, answer, actions, why)});
}
