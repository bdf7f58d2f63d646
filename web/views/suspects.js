// Suspicious labels: training images whose label the memory of themselves, and not of the others, supports.

import {imageUrl, listSuspects} from '../api.js';
import {csvButton} from '../csv.js';
import {h, redraw} from '../dom.js';
import {className, count, fixed, outputName, percent, short} from '../format.js';
import {notify} from './notices.js';

/** @import {Actions, Run, Suspect, SuspectPage} from '../types.js' */

/** @param {Run} run @param {Suspect} suspect @param {Actions} actions */
function card(run, suspect, actions) {
  const {sample, rank, score, own, others, loss} = suspect;
  const label = className(run, sample.dataset, sample.label), called = outputName(run, sample.predicted);
  const flipped = sample.true_label === undefined ? null : className(run, sample.dataset, sample.true_label);
  return h('li', {}, h('button.suspect', {type: 'button', id: `suspect-${rank}`, 'data-sample': sample.id, 'data-score': score,
    'aria-label': `${rank}. training image ${sample.index}, labelled ${label}, called ${called}, score ${short(score)}. Ask about it.`,
    onclick: () => actions.explain(sample.id)},
  h('span.frame', {}, h('img', {src: imageUrl(run.id, sample.id, 4), alt: '', loading: 'lazy'})),
  h('span.line', {}, h('b', {}, label), h('span.soft', {}, `#${sample.index}`)),
  h('span.line', {title: `called ${called}`}, h('span.name', {}, sample.correct ? 'called so' : `called ${called}`)),
  flipped ? h('span.line', {title: `flipped: was ${flipped}`}, h('span.name.flipped', {}, `flipped: was ${flipped}`)) : null,
  h('span.line', {}, h('span', {}, 'score'), h('b', {}, fixed(score, 2))),
  h('span.line.soft', {}, h('span', {}, 'own'), h('span', {}, fixed(own, 2))),
  h('span.line.soft', {}, h('span', {}, 'others'), h('span', {}, others === null ? '–' : percent(others, 0))),
  h('span.line.soft', {}, h('span', {}, 'loss'), h('span', {}, short(loss)))));
}

/** @param {SuspectPage} page */
function found(page) {
  if (!page.auc) return null;
  return h('p.auc', {}, 'Labels of this run were flipped on purpose. ROC AUC of finding them: ',
    h('strong', {}, fixed(page.auc.score, 3)), ` by score, ${fixed(page.auc.own, 3)} by own, ` +
    `${fixed(page.auc.loss, 3)} by loss summed over training.`);
}

/** @param {HTMLElement} section @param {Run} run @param {SuspectPage} page the first @param {Actions} actions
 *  @param {AbortSignal} signal */
export function showSuspects(section, run, page, actions, signal) {
  let {suspects, next} = page;
  const list = h('ol.cards.suspects', {}, suspects.map((suspect) => card(run, suspect, actions)));
  const more = h('button', {type: 'button', id: 'more-suspects', hidden: next === null, onclick: async () => {
    more.disabled = true;
    try {
      const page = await listSuspects(run.id, next, signal);
      suspects = [...suspects, ...page.suspects];
      next = page.next;
      list.append(...page.suspects.map((suspect) => card(run, suspect, actions)));
      more.hidden = next === null;
    } catch (error) {
      if (!signal.aborted) notify(`There are no more to show: ${/** @type {Error} */ (error).message}`);
    }
    more.disabled = false;
  }}, 'Show more');
  redraw(section,
    h('div.head', {}, h('h2', {id: 'suspects-title'}, 'Suspicious labels'),
      h('span.soft', {}, `${count(page.total)} training images`),
      csvButton(`suspects-${run.name}`, 'the suspects shown', ['rank', 'dataset', 'index', 'label', 'predicted', 'true_label',
        'score', 'own', 'others', 'loss'], () => suspects.map((one) => [one.rank, one.sample.dataset, one.sample.index,
        className(run, one.sample.dataset, one.sample.label), outputName(run, one.sample.predicted),
        one.sample.true_label === undefined ? '' : className(run, one.sample.dataset, one.sample.true_label),
        one.score, one.own, one.others, one.loss]))),
    h('p.lead', {}, 'Training images ranked by how much the memory of themselves, and not of the others, supports their label. ',
      h('b', {}, 'own'), ': how much of its answer the image had to teach by itself: the squared error of the network’s answer, summed over its ' +
      'showings, in standard deviations. ',
      h('b', {}, 'others'), ': share of other labels among its ten nearest neighbours. ',
      h('b', {}, 'score'), ' = own + 4 others. ', h('b', {}, 'loss'), ' summed over training is the usual baseline.'),
    found(page), list, more);
}
