// Suspicious labels: images whose label the memory of themselves, and not of the others, supports; to be marked.

import {listMarks, listSuspects} from '../api.js';
import {csvButton} from '../csv.js';
import {byId, h, redraw} from '../dom.js';
import {className, count, fixed, noun, outputName, percent, sampleName, short} from '../format.js';
import {followJob} from '../jobs.js';
import {canAsk} from '../state.js';
import {Marks} from './marks.js';
import {notify} from './notices.js';
import {filePath} from './path.js';
import {takes, testSplit} from './retrained.js';
import {depict} from '../depict.js';
import {offerAway} from '../take.js';

/** @import {Actions, Mark, Run, Suspect, SuspectPage, Visit} from '../types.js' */

/** @param {Run} run @param {Suspect} suspect @param {Actions} actions @param {Marks} marks */
function card(run, suspect, actions, marks) {
  const {sample, rank, score, own, others, loss, suggested, near_duplicate: twin} = suspect;
  const label = className(run, sample.dataset, sample.label), called = outputName(run, sample.predicted);
  const flipped = sample.true_label === undefined ? null : className(run, sample.dataset, sample.true_label);
  const better = suggested && className(run, sample.dataset, suggested.label);
  const asks = canAsk(run, sample.id) ? 'Ask about it' : 'It cannot be asked about';
  const item = h('li', {}, h('button.suspect', {type: 'button', id: `suspect-${rank}`, 'data-sample': sample.id, 'data-score': score,
    onclick: () => actions.explain(sample.id)},
  h('span.frame', {}, depict(run.id, sample, 4)),
  h('span.line', {}, h('b.name', {title: label}, label), h('span.soft', {}, sample.split === 'train' ? `#${sample.index}` : `${sample.split} #${sample.index}`)),
  h('span.line', {title: `called ${called}`}, h('span.name', {}, sample.correct ? 'called so' : `called ${called}`)),
  better ? h('span.line.better', {title: `${percent(suggested.share, 0)} of its neighbours are ${better}`},
    h('span.name', {}, `\u2192 ${better}?`), h('span', {}, percent(suggested.share, 0))) : null,
  flipped ? h('span.line', {title: `flipped: was ${flipped}`}, h('span.name.flipped', {}, `flipped: was ${flipped}`)) : null,
  h('span.line', {}, h('span', {}, 'score'), h('b', {}, fixed(score, 2))),
  h('span.line.soft', {}, h('span', {}, 'own'), h('span', {}, fixed(own, 2))),
  h('span.line.soft', {}, h('span', {}, 'others'), h('span', {}, others === null ? '–' : percent(others, 0))),
  h('span.line.soft', {}, h('span', {}, 'loss'), h('span', {}, short(loss))),
  h('span.hidden', {}, `, number ${rank}, labelled ${label}. ${asks}; w: wrong, f: fine, u: unsure.`)),
  filePath(sample.path),
  twin ? h('span.line', {}, h('span.name', {title: twin.path ?? sampleName(twin)}, `nearly ${twin.path ?? sampleName(twin)}, ` +
    className(run, twin.dataset, twin.label))) : null);
  item.append(marks.controls(suspect, item));
  return item;
}

/** @param {SuspectPage} page */
function found(page) {
  if (!page.auc) return null;
  return h('p.auc', {}, 'Labels of this run were flipped on purpose. ROC AUC of finding them: ',
    h('strong', {}, fixed(page.auc.score, 3)), ` by score, ${fixed(page.auc.own, 3)} by own, ` +
    `${fixed(page.auc.loss, 3)} by loss summed over training.`);
}

/** @param {Run} run @param {Suspect} one */
function row(run, one) {
  const {sample, suggested, near_duplicate: twin} = one;
  return [one.rank, sample.dataset, sample.split, sample.index, sample.path ?? '', className(run, sample.dataset, sample.label),
    outputName(run, sample.predicted), suggested ? className(run, sample.dataset, suggested.label) : '', suggested?.share ?? '',
    sample.true_label === undefined ? '' : className(run, sample.dataset, sample.true_label),
    twin ? twin.path ?? sampleName(twin) : '', one.score, one.own, one.others, one.loss];
}

/** The truth of the marks: trained again without those that are wrong. @param {HTMLElement} place @param {Run} run @param {Marks} marks
 *  @param {AbortSignal} signal */
function offerAgain(place, run, marks, signal) {
  if (!run.errands.includes('retrain') || !marks.hasWrongTraining()) {
    redraw(place);
    return;
  }
  void followJob(place, {id: 'retrain-marked', run: run.id, kind: 'retrain', words: {without: 'marked'}, signal, label: 'Train again without those marked wrong',
    doing: 'Training again\u2026', takes: (seconds) => takes(run, seconds),
    show: (answer) => [h('p.verdict', {}, `Trained again without the ${answer.without === 1 ? 'one that is' : `${count(answer.without)} that are`} marked wrong. ${testSplit(answer) ?? 'There is no test split to tell by.'}`)]});
}

/** @param {HTMLElement} section @param {Run} run @param {SuspectPage} page the first @param {Mark[]} marked
 *  @param {Actions} actions @param {AbortSignal} signal */
function showSuspects(section, run, page, marked, actions, signal) {
  let {suspects, next} = page;
  const again = h('div.again', {id: 'retrain-marked'});
  const marks = new Marks(run, marked, () => offerAgain(again, run, marks, signal));
  offerAgain(again, run, marks, signal);
  const list = h('ol.cards.suspects', {}, suspects.map((suspect) => card(run, suspect, actions, marks)));
  const more = h('button', {type: 'button', id: 'more-suspects', hidden: next === null, onclick: async () => {
    more.disabled = true;
    try {
      const page = await listSuspects(run.id, next, signal);
      suspects = [...suspects, ...page.suspects];
      next = page.next;
      list.append(...page.suspects.map((suspect) => card(run, suspect, actions, marks)));
      more.hidden = next === null;
    } catch (error) {
      if (!signal.aborted) notify(`There are no more to show: ${/** @type {Error} */ (error).message}`);
    }
    more.disabled = false;
  }}, 'Show more');
  redraw(section,
    h('div.head', {}, h('h2', {id: 'suspects-title'}, 'Suspicious labels'),
      h('span.soft', {}, `${count(page.total)} ${noun(run)}s`),
      csvButton(`suspects-${run.name}`, 'the suspects shown', ['rank', 'dataset', 'split', 'index', 'file', 'label', 'predicted', 'suggested',
        'suggested_share', 'true_label', 'near_duplicate', 'score', 'own', 'others', 'loss'], () => suspects.map((one) => row(run, one)))),
    h('p.lead', {}, `${run.kind === 'described' ? 'Samples' : 'Images'} ranked by how much the memory of themselves, and not of the others, supports their label; of the held-out ones, ` +
      'how much the network contradicts it. ',
      h('b', {}, 'own'), ': how much of its answer the image had to teach by itself: the squared error of the network’s answer, summed over its ' +
      'showings, in standard deviations. ',
      h('b', {}, 'others'), ': share of other labels among its ten nearest neighbours. ',
      h('b', {}, 'score'), ' = own + 4 others. ', h('b', {}, 'loss'), ' summed over training is the usual baseline.'),
    h('p.lead', {}, 'Mark each: ', h('kbd', {}, 'w'), ' wrong, ', h('kbd', {}, 'f'), ' fine, ', h('kbd', {}, 'u'), ' unsure; then train with ',
      h('code', {}, 'keylight train … --corrections FILE.csv'), '. Marks are kept beside the run.'),
    run.recorded ? h('p.lead', {}, 'Only the program that trained this network can run it: what it recorded of the test split can be asked about; training samples can be marked.') : null,
    marks.summary, again, found(page), list, more);
}

/** @param {Visit} visit */
export async function renderSuspects({run, state, actions, signal, ready}) {
  const [page, marks] = await Promise.all([listSuspects(run.id, null, signal), listMarks(run.id, signal).catch((error) => {
    if (!signal.aborted) notify(`The marks cannot be read: ${error.message}`);
    return [];
  })]);
  if (signal.aborted) return;
  document.title = `suspicious labels · ${run.name} · keylight`;
  showSuspects(byId('suspects'), run, page, marks, actions, signal);
  offerAway(byId('suspects'), run, state, null, {title: 'the suspects', resource: 'suspects', figures: []});
  ready('suspects');
}
