// Whom the answer would miss most, had the network not seen them: an estimate at once, the walk back through the training as a job.

import {byId, choice, h, redraw} from '../dom.js';
import {count, nameOf, noun, signed} from '../format.js';
import {duration, followJob} from '../jobs.js';
import {near} from '../near.js';
import {canRetrain, retrainButton} from './retrained.js';
import {openButton} from './strips.js';

/** @import {Actions, Manner, MissedCard, Run, Visit, Walked} from '../types.js' */
/** @import {State} from '../state.js' */

export const MISSED = 10; // who would be missed most
const TRAININGS = 4; // that a walk from one sample takes as long as

/** @param {Run} run @param {State} state @param {Actions} actions @param {Node|null} open */
function head(run, state, actions, open) {
  return h('div.head', {}, h('h2', {id: 'missed-title'}, 'If it had not seen them'),
    run.errands.includes('walk') && state.sample !== null ? choice([{value: 'estimate', text: 'estimated', title: 'At once, from decorrelated contributions'},
      {value: 'walk', text: 'walked back', title: 'By differentiating through the training, backwards'}], state.missed, 'Missed',
    (value) => actions.choose({missed: /** @type {any} */ (value)})) : h('span.soft', {}, 'An estimate'), open);
}

/** The room that cards will take. @param {boolean} isText */
function roomForCards(isText) {
  const places = Array.from({length: MISSED});
  if (isText) return h('ol.concordance', {}, places.map(() => h('li', {}, h('div.place'))));
  return h('ol.strip-cards', {}, places.map(() => h('li', {}, h('div.strip-card', {}, h('span.frame', {}, h('span.square')), h('span.strength'),
    h('span.line', {}, '\u00a0'), h('span.line', {}, '\u00a0')))));
}

/** Whether it is the walk that is shown. @param {Run} run @param {State} state */
const isWalk = (run, state) => state.missed === 'walk' && state.sample !== null && run.errands.includes('walk');

/** Its heading, and room for what comes later, so that nothing moves when it comes. @param {Run} run @param {State} state @param {Actions} actions */
export function awaitMissed(run, state, actions) {
  if (isWalk(run, state)) {
    redraw(byId('missed'), head(run, state, actions, null), h('p.soft', {}, 'One moment\u2026'));
    return;
  }
  redraw(byId('missed'), head(run, state, actions, openButton('missed', 'influence', actions)),
    h('p.soft', {}, 'One moment\u2026 ', h('span.to-come', {'aria-hidden': 'true'}, 'Trained without these 10, its loss for it would rise by about +0.0000, all layers together: ' +
      'an estimate, of which the order counts more than the size.')),
    h('div.to-come', {'aria-hidden': 'true'}, roomForCards(run.kind === 'text'), h('p.again', {}, h('span.button', {}, '\u00a0'), h('span', {}, ' for what becomes of it really.'))));
}

/** The truth of it, a click away. @param {Run} run @param {State} state @param {number} n @param {string} without @param {Actions} actions */
function again(run, state, n, without, actions) {
  if (!canRetrain(run, state))
    return h('p.soft', {}, run.recorded ? 'Only training again tells how far that is true.' :
      `Training again tells how far that is true; it is for samples of the run, not for ${run.kind === 'text' ? 'what is typed' : 'pictures of one\u2019s own'}.`);
  return h('p.again', {}, retrainButton(run, state, 'retrain-missed', `Train again without these ${n}`, {without, among: 'influence'}, actions),
    h('span.soft', {}, ' for what becomes of it really.'));
}

/** Of what the loss is. @param {Manner} manner */
function lossOf({target, predicted}) {
  return target ?? predicted;
}

/** @param {Manner} manner @param {MissedCard[]} cards @param {(sum: string, name: string) => string} sentence */
function sentenceOf(manner, cards, sentence) {
  const name = manner.output(lossOf(manner)), sum = cards.reduce((total, {score}) => total + score, 0);
  return h('p.soft', {}, cards.length ? sentence(signed(sum), name) : `Without any of them its loss for ${name} would not rise.`);
}

/** The estimate. @param {Visit} visit @param {Manner} manner */
async function showEstimate({run, state, actions, signal}, manner) {
  const cards = (await manner.estimate()).filter(({score}) => score > 0);
  if (signal.aborted) return;
  redraw(byId('missed'), head(run, state, actions, openButton('missed', 'influence', actions)),
    sentenceOf(manner, cards, (sum, name) => `Trained without these ${cards.length}, its loss for ${name} would rise by about ${sum}, all layers together: ` +
      'an estimate, of which the order counts more than the size.'),
    ...cards.length ? [manner.showCards({id: 'missed', output: lossOf(manner), cards}), again(run, state, cards.length, `top:${cards.length}`, actions)] : []);
}

/** @param {Visit} visit @param {Manner} manner @param {Walked} walked */
async function showWalk({run, state, actions}, manner, walked) {
  const [query] = walked.queries, cards = await manner.recall(query.influence.slice(0, MISSED));
  return h('div', {}, sentenceOf(manner, cards, (sum, name) => `Walked back over steps ${count(walked.first_step)} to ${count(walked.last_step)}` +
      `${walked.damping ? ', of which the early ones count less' : ''}: trained without these ${cards.length}, its loss for ${name} would rise by about ${sum}; ` +
      'their order counts more than the size.'),
  ...cards.length ? [manner.showCards({id: 'walked', output: lossOf(manner), cards}),
    again(run, state, cards.length, cards.map(({sample}) => `sample:${sample.id ?? sample}`).join(','), actions)] : []);
}

/** The walk, as a job. @param {Visit} visit @param {Manner} manner */
function followWalk(visit, manner) {
  const {run, state, actions, signal} = visit, place = h('div.walked', {});
  redraw(byId('missed'), head(run, state, actions, null), place);
  void followJob(place, {id: 'walk', run: run.id, kind: 'walk', words: {sample: nameOf(run, /** @type {number} */ (state.sample))}, signal, label: 'Walk back',
    doing: 'Walking back through the training\u2026',
    takes: (seconds) => `By differentiating through the training, backwards from the loss of this ${noun(run)}: of what is told here, what comes closest to training again. ` +
      (seconds === null ? `It takes about ${TRAININGS} trainings.` : `It takes about ${duration(TRAININGS * seconds)}.`),
    show: (answer) => {
      const shown = h('div', {});
      void showWalk(visit, manner, answer).then((drawn) => shown.replaceChildren(drawn), (error) => shown.replaceChildren(h('p.soft', {role: 'alert'}, error.message)));
      return [shown];
    }});
}

/** Once somebody comes near it. @param {Visit} visit @param {Manner} manner */
export async function showMissed(visit, manner) {
  const {run, state, signal} = visit;
  try {
    await near(byId('missed'), signal);
    if (isWalk(run, state)) followWalk(visit, manner);
    else await showEstimate(visit, manner);
  } catch (error) {
    if (!signal.aborted) redraw(byId('missed'), h('p.soft', {}, `What would be missed cannot be told: ${/** @type {Error} */ (error).message}`));
  }
}
