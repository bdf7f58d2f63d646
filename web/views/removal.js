// What the network would say without part of its memory.

import {csvButton} from '../csv.js';
import {h, redraw, select} from '../dom.js';
import {classCount, count, fixed, nameOf, noun, numberedClass, outputName, subjectFile} from '../format.js';
import {removalTerms} from '../state.js';
import {canRetrain, retrainButton} from './retrained.js';

/** @import {Actions, Answer, Removed, Run, Subject} from '../types.js' */
/** @import {State} from '../state.js' */

const TOPS = [1, 5, 10, 20, 50, 100, 500, 1000];

/** A term in words. @param {Run} run @param {State} state @param {string} term */
export function termName(run, state, term) {
  const [kind, value] = term.split(':');
  switch (kind) {
    case 'top': return `the first ${value} of this spotlight`;
    case 'class': return `class ${numberedClass(run, Number(value))}`;
    case 'dataset': return `data set ${value}`;
    case 'steps': return `steps ${value.replace('-', ' to ')}`;
    case 'sample': return nameOf(run, Number(value));
    default: return 'everything';
  }
}

/** The state with a term added, or taken away. @param {State} state @param {string} term @param {boolean} add */
export function withTerm(state, term, add) {
  const kind = term.split(':')[0];
  const others = removalTerms(state.remove).filter((one) => one !== term && !(kind === 'top' && one.startsWith('top:')));
  const terms = add ? [...others, term] : others;
  return {remove: terms.length ? terms.join(',') : null};
}

/** @param {Run} run @param {State} state @param {Actions} actions */
function controls(run, state, actions) {
  const add = (/** @type {string} */ term) => actions.choose(withTerm(state, term, true));
  const from = h('input', {type: 'number', min: '1', max: String(run.steps), placeholder: 'from', id: 'remove-from',
    'aria-label': `From step, 1 to ${run.steps}`, required: true});
  const to = h('input', {type: 'number', min: '1', max: String(run.steps), placeholder: 'to', id: 'remove-to',
    'aria-label': `To step, 1 to ${run.steps}`, required: true});
  return h('div.controls', {},
    h('span.control', {}, 'without', select([{value: '', text: 'top of spotlight…'},
      ...TOPS.map((n) => ({value: `top:${n}`, text: `the first ${n}`}))], '', 'Remove the top of the spotlight', add),
    select([{value: '', text: 'a class…'}, ...Array.from({length: classCount(run)}, (_, number) =>
      ({value: `class:${number}`, text: numberedClass(run, number)}))], '', 'Remove a class', add),
    run.datasets.length > 1 ? select([{value: '', text: 'a data set…'}, ...run.datasets.map((dataset) =>
      ({value: `dataset:${dataset.name}`, text: dataset.name}))], '', 'Remove a data set', add) : null,
    h('form.steps-range', {onsubmit: (/** @type {Event} */ event) => {
      event.preventDefault();
      if (Number(from.value) <= Number(to.value)) add(`steps:${from.value}-${to.value}`);
      else to.setCustomValidity('The last step comes after the first.'), to.reportValidity();
    }, oninput: () => to.setCustomValidity('')}, 'steps', from, to, h('button', {type: 'submit', id: 'remove-steps'}, 'Remove')),
    h('button', {type: 'button', id: 'remove-all', onclick: () => add('all')}, 'everything')));
}

/** The truth of it: trained again without those of the terms that name samples. @param {Run} run @param {State} state @param {Answer} answer
 *  @param {Actions} actions */
function again(run, state, answer, actions) {
  const terms = removalTerms(state.remove).filter((term) => term !== 'all' && !term.startsWith('steps:'));
  if (!terms.length || !canRetrain(run, state)) return null;
  return h('p.again', {}, retrainButton(run, state, 'retrain-removed', 'Train again without them',
    {without: terms.join(','), among: `${state.rank}${answer.layer === run.layers.length ? '' : `@${answer.layer}`}`}, actions),
  h('span.soft', {}, ' for what it would really say. ', terms.some((term) => term.startsWith('top:')) ? 'The first of the spotlight are its first samples then.' : ''));
}

/** @param {Run} run @param {Answer} answer @param {Removed} removed */
function table(run, answer, removed) {
  return h('table.before-after', {},
    h('caption.hidden', {}, 'Logits with the whole memory and without what was removed'),
    h('thead', {}, h('tr', {}, ['Class', 'logit', 'without', 'change'].map((name, i) =>
      h(i ? 'th.number' : 'th', {scope: 'col'}, name)))),
    h('tbody', {}, answer.logits.map((logit, output) => {
      const change = removed.logits[output] - logit;
      return h('tr', {className: [output === answer.predicted ? 'said' : '',
        output === removed.predicted ? 'says-now' : ''].join(' ').trim()},
      h('th', {scope: 'row'}, outputName(run, output)),
      h('td.number', {}, fixed(logit, 2)),
      h('td.number.without', {'data-value': removed.logits[output]}, fixed(removed.logits[output], 2)),
      h(`td.number.${change < 0 ? 'minus' : 'plus'}`, {}, (change > 0 ? '+' : '') + fixed(change, 2)));
    })));
}

/** @param {Run} run @param {Answer} answer @param {Removed} removed */
function verdict(run, answer, removed) {
  const now = outputName(run, removed.predicted), before = outputName(run, answer.predicted);
  return h('p.verdict', {}, `Without ${count(removed.patterns)} of ${count(answer.patterns)} patterns, ${run.recorded ? 'in the last layer' : 'in all layers at once'}, what is left of the sum `,
    removed.predicted === answer.predicted ? 'is still largest for ' : 'is largest for ', h('strong', {}, now),
    removed.predicted === answer.predicted ? '.' : `, not ${before}.`,
    h('span.soft', {}, 'What is left was learned against what is gone, so the logits can grow far beyond any that a trained network gives: ' +
      'compare their order and signs, and read no probability out of them.'));
}

/** @param {HTMLElement} section @param {Run} run @param {State} state @param {Answer} answer
 *  @param {Subject} subject @param {Actions} actions */
export function showRemoval(section, run, state, answer, subject, actions) {
  const {removed} = answer;
  const terms = removalTerms(state.remove);
  const rows = () => answer.logits.map((logit, output) => [outputName(run, output), logit, removed?.logits[output],
    answer.probabilities[output], removed?.probabilities[output]]);
  redraw(section,
    h('div.head', {}, h('h2', {id: 'removal-title'}, 'Without part of the memory'),
      removed ? csvButton(`without-${subjectFile(subject)}`, 'the logits before and after',
        ['class', 'logit', 'logit_without', 'probability', 'probability_without'], rows) : null),
    h('p.soft.what-it-is', {}, `The stored trajectory without these, not a retraining: take training ${noun(run)}s out of the memory of ` +
      `${run.recorded ? 'the last layer, which reaches the logits by itself' : 'all layers at once'}, and see what the rest of it sums to.`),
    controls(run, state, actions),
    terms.length ? h('ul.terms', {'aria-label': 'Removed'}, terms.map((term) => h('li', {}, h('button.term', {type: 'button',
      id: `term-${term.replace(/\W/g, '-')}`, 'aria-label': `Put back ${termName(run, state, term)}`,
      onclick: () => actions.choose(withTerm(state, term, false))}, termName(run, state, term), h('span', {'aria-hidden': 'true'}, ' ×'))))) : null,
    removed ? h('div.without-result', {}, h('div', {}, verdict(run, answer, removed), again(run, state, answer, actions)), table(run, answer, removed)) : null);
}
