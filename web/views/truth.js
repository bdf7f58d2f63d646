// How far each score foretells what retraining would change, where the scores are chosen.

import {h, redraw} from '../dom.js';
import {count, fixed, noun, percent} from '../format.js';
import {begin, duration, followJob} from '../jobs.js';
import {rankOf} from '../ranks.js';

/** @import {Actions, Run, Truth} from '../types.js' */
/** @import {State} from '../state.js' */

const TRAININGS = 20, WALK = 100; // what it takes by default, the walk as so many trainings

/** What is measured stays open or closed as it was. */
let isOpen = false;

/** @param {number} value */
function correlation(value) {
  return fixed(value, 2).replace(/^(−?)0\./, '$1.');
}

/** @param {Truth} truth @param {string} rank @param {(rank: string) => void} choose */
function table(truth, rank, choose) {
  return h('table.truth', {}, h('caption.hidden', {}, 'Rank correlation of each score with retraining'),
    h('tbody', {}, truth.scores.map(({rank: score, rank_correlation: mean, standard_error: error}) =>
      h(score === rank ? 'tr.said' : 'tr', {'data-rank': score},
        h('th', {scope: 'row'}, rankOf(score) ? h('button.quiet', {type: 'button', id: `truth-${score}`, onclick: () => choose(score)}, rankOf(score)?.label) :
          h('span', {}, 'walked back')),
        h('td.scale', {'aria-hidden': 'true', style: {'--zero': '0%'}}, h('i.plus', {style: {left: '0%', width: `${100 * Math.max(mean, 0)}%`}})),
        h('td.number', {'data-value': mean}, correlation(mean)), h('td.number.soft', {}, `\u00b1 ${correlation(error)}`)))));
}

/** What was measured, in a sentence. @param {Run} run @param {Truth} truth */
function sentence(run, truth) {
  return `The rank correlation between what a score foretold that the loss of a test ${noun(run)} would rise by and what it really became, over ${count(truth.subsets)} ` +
    `trainings without ${percent(truth.left_out, truth.left_out < 0.1 ? 1 : 0)} of the training ${noun(run)}s each; the mean of ${count(truth.queries)} test ${noun(run)}s, \u00b1 its standard error. ` +
    '0 is chance, 1 the order of what really became.';
}

/** @param {HTMLElement} place @param {Run} run @param {State} state @param {Actions} actions @param {AbortSignal} signal */
export function showTruth(place, run, state, actions, signal) {
  if (!run.errands.includes('truth')) {
    redraw(place);
    return;
  }
  const rank = state.rank.split(':')[0], inside = h('div', {id: 'truth-job'});
  const short = h('span', {}, 'How far does this foretell retraining?');
  const details = h('details', {id: 'truth', open: isOpen, ontoggle: () => {
    isOpen = details.open;
  }}, h('summary', {}, short), inside);
  redraw(place, details);
  const words = {check: String(TRAININGS)};
  /** What somebody measured quickly can be measured better. */
  const again = () => h('button', {type: 'button', id: 'truth-again', onclick: async () => {
    await begin({run: run.id, kind: 'truth', words}).catch(() => {}); // who follows it is told
    void followJob(inside, {...job, words});
  }}, `Measure it with ${TRAININGS} trainings`);
  /** @type {import('../jobs.js').Job} */
  const job = {id: 'truth', run: run.id, kind: 'truth', words: {}, signal, label: 'Measure it for this run',
    doing: 'Training again, and again, without some…',
    takes: (seconds) => `${TRAININGS} trainings without a tenth of the training ${noun(run)}s each${seconds === null ? '' : `: about ${duration(seconds * (TRAININGS + (run.errands.includes('walk') ? WALK : 0)))}`}.`,
    show: (/** @type {Truth} */ truth) => {
      const mine = truth.scores.find((score) => score.rank === rank);
      if (mine) redraw(short, 'Foretells retraining with a rank correlation of ', h('b', {}, correlation(mine.rank_correlation)), ` \u00b1 ${correlation(mine.standard_error)}`);
      else redraw(short, 'How far the scores foretell retraining');
      return [h('div.truth-result', {}, table(truth, rank, (/** @type {string} */ score) => actions.choose({rank: score})),
        h('div', {}, h('p.soft', {}, sentence(run, truth)), ...truth.notes.map((note) => h('p.soft', {}, `${note}.`)), truth.subsets < TRAININGS ? again() : null))];
    }};
  void followJob(inside, job);
}
