// Two queries side by side, under the same controls.

import {askAll, attend, getRun, getSample} from '../api.js';
import {byId, h, redraw} from '../dom.js';
import {agreement, nameOf, outputName, subjectName} from '../format.js';
import {comparedWith, fitState} from '../state.js';
import {logits, picture, probabilities, verdict} from './answer.js';
import {totals} from './classes.js';
import {cards, controls, legend} from './spotlight.js';

/** @import {Actions, Answer, Run, Subject, Visit} from '../types.js' */
/** @import {State} from '../state.js' */

/** @typedef {{run: Run, answer: Answer, subject: Subject}} Side */

/** Whether both are one image: of the same data set, split and index. @param {Side} a @param {Side} b */
function isSameImage(a, b) {
  if ('pixels' in a.subject || 'pixels' in b.subject) return false;
  return a.subject.dataset === b.subject.dataset && a.subject.split === b.subject.split && a.subject.index === b.subject.index;
}

/** @param {Side} side @param {'a'|'b'} name @param {boolean} otherRun @param {Actions} actions */
function column({run, answer, subject}, name, otherRun, actions) {
  // An image of the other run is asked about there.
  const own = name === 'a' || !otherRun ? actions : {...actions, explain: (/** @type {number} */ sample) => actions.explainIn(run.id, sample)};
  return h('article.side', {'data-side': name, 'aria-label': 'pixels' in subject ? 'your drawing' : nameOf(run, subject.id)},
    h('div.side-answer', {}, picture(run, subject),
      h('div', {}, otherRun ? h('p.soft', {}, `in ${run.name}`) : null,
        h('p.predicted', {}, outputName(run, answer.predicted)), verdict(run, answer, subject),
        probabilities(run, answer))),
    logits(run, answer, 'pixels' in subject ? null : subject.target),
    h('h3', {}, `Spotlight of layer ${answer.layer}`),
    cards(run, answer, own, `${name}-`),
    legend(run, answer),
    h('h3', {}, 'Attention by class'),
    totals(run, answer),
    h('p.soft', {}, answer.exactness.dual ? agreement(answer) : 'attention only'));
}

/** @param {HTMLElement} section @param {State} state @param {Side} a @param {Side} b @param {Actions} actions */
function showCompare(section, state, a, b, actions) {
  const otherRun = a.run.id !== b.run.id;
  redraw(section,
    h('div.head', {}, h('h2', {id: 'compare-title'}, otherRun && isSameImage(a, b) ? 'The same image in two runs' :
      'Two samples side by side'),
      'pixels' in a.subject ? null : h('button', {type: 'button', id: 'swap', onclick: () => actions.swap()}, 'Swap'),
      h('button', {type: 'button', id: 'end-compare', onclick: () => actions.choose({with: null})}, 'End comparing')),
    controls(a.run, state, a.answer, actions),
    h('div.sides', {}, column(a, 'a', otherRun, actions), column(b, 'b', otherRun, actions)));
}

/** @param {State} state @param {number[]|null} pixels @param {AbortSignal} signal @returns {Promise<Answer>} */
async function askWhole(state, pixels, signal) {
  return Object.assign({}, ...await Promise.all([askAll(['answer'], state, pixels, signal), attend(state, pixels, signal)]));
}

/** One sample beside another, or beside itself in another run. @param {Visit} visit */
export async function renderCompare({run, runs, state, pixels, actions, signal, ready}) {
  const [id, sample] = comparedWith(state);
  const theirs = id === run.id ? run : await getRun(id, signal);
  const question = {...fitState(state, theirs, runs), sample, pixels: null, remove: null};
  const [mine, own, answer, subject] = await Promise.all([askWhole(state, pixels, signal), state.sample === null ? null : getSample(run.id, state.sample, signal),
    askWhole(question, null, signal), getSample(id, sample, signal)]);
  if (signal.aborted) return;
  const shown = own ?? {pixels: pixels ?? []};
  document.title = `${subjectName(shown)} · ${run.name} · keylight`;
  showCompare(byId('compare'), state, {run, answer: mine, subject: shown}, {run: theirs, answer, subject}, actions);
  ready('compare');
}
