// A text without part of the memory.

import {h, redraw, select} from '../dom.js';
import {count, fixed, signed, whyNotDual} from '../format.js';
import {removalTerms} from '../state.js';
import {withTerm} from '../views/removal.js';
import {textOf} from './answer.js';
import {named, visible} from './tokens.js';

/** @import {Actions, Run, TextAnswer} from '../types.js' */
/** @import {State} from '../state.js' */

/** A term of a removal in words. @param {TextAnswer} answer @param {string} term */
export function termName(answer, term) {
  const [kind, value] = term.split(':');
  switch (kind) {
    case 'top': return `the first ${value} of this spotlight`;
    case 'class': return `what went on with ${named(textOf(answer, Number(value)) || `token ${value}`)}`;
    case 'steps': return `steps ${value.replace('-', ' to ')}`;
    case 'sample': return `position ${count(Number(value))}`;
    default: return term;
  }
}

/** @param {HTMLElement} section @param {Run} run @param {State} state @param {TextAnswer} answer @param {Actions} actions */
export function showTextRemoval(section, run, state, answer, actions) {
  const {removed} = answer;
  const terms = removalTerms(state.remove);
  const add = (/** @type {string} */ term) => term && actions.choose(withTerm(state, term, true));
  const half = Math.floor(run.steps / 2);
  redraw(section,
    h('div.head', {}, h('h2', {id: 'removal-title'}, 'Without part of the memory')),
    !answer.exactness.dual ? h('p.soft', {}, `Nothing can be taken out of this run: ${whyNotDual(run)}.`) : h('div', {},
      h('p.soft.what-it-is', {}, 'The stored trajectory without these, not a retraining: take training positions out of the output layer’s memory, ' +
        'and see what the rest of it sums to.'),
      h('div.controls', {}, h('span.control', {}, 'without',
        select([{value: '', text: 'top of spotlight…'}, ...[1, 10, 100, 1000].map((n) => ({value: `top:${n}`, text: `the first ${n} showings`}))],
          '', 'Remove the top of the spotlight', add),
        select([{value: '', text: 'a continuation…'}, ...answer.next.slice(0, 30).map((one) => ({value: `class:${one.token}`,
          text: `what went on with ${named(one.text)}`}))], '', 'Remove a continuation', add),
        h('button', {type: 'button', id: 'remove-first-half', onclick: () => add(`steps:1-${half}`)}, `steps 1 to ${count(half)}`)))),
    terms.length ? h('ul.terms', {'aria-label': 'Removed'}, terms.map((term) => h('li', {}, h('button.term', {type: 'button',
      id: `term-${term.replace(/\W/g, '-')}`, 'aria-label': `Put back ${termName(answer, term)}`,
      onclick: () => actions.choose(withTerm(state, term, false))}, termName(answer, term), h('span', {'aria-hidden': 'true'}, ' ×'))))) : null,
    removed ? h('div.without-result', {},
      h('p.verdict', {}, `Without ${count(removed.patterns)} of ${count(answer.patterns)} patterns in the output layer’s memory, what is left of the sum ` +
        `is ${removed.predicted.token === answer.predicted ? 'still ' : ''}largest for `,
      h('strong', {}, h('code', {}, visible(removed.predicted.text))), '.',
      h('span.soft', {}, 'What the cells tell the layer stays. Compare the logits’ order and signs, and read no probability out of them.')),
      h('table.before-after', {}, h('thead', {}, h('tr', {}, ['Next', 'logit', 'without', 'change'].map((name, i) =>
        h(i ? 'th.number' : 'th', {scope: 'col'}, name)))),
      h('tbody', {}, answer.next.slice(0, 10).map((one) => h('tr', {}, h('th', {scope: 'row'}, h('code', {}, visible(one.text))),
        h('td.number', {}, fixed(one.logit, 2)), h('td.number.without', {}, fixed(one.logit_without ?? 0, 2)),
        h('td.number', {}, signed((one.logit_without ?? 0) - one.logit))))))) : null);
}
