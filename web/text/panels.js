// Under the spotlight: totals by continuation, over training time, along the text, and how the answer was learned.

import {chart, legend} from '../chart.js';
import {csvButton} from '../csv.js';
import {choice, h, redraw} from '../dom.js';
import {count, short, signed} from '../format.js';
import {fileOf, textOf} from './answer.js';
import {named, visible} from './tokens.js';

/** @import {Actions, Run, TextAnswer, TextPanels} from '../types.js' */
/** @import {State} from '../state.js' */

const TOTALS = 15;
const GROUPS = /** @type {const} */ ([
  {name: 'said', colour: '--c0'}, {name: 'target', colour: '--c1'}, {name: 'other', colour: '--guess'}]);
const MEASURES = /** @type {const} */ ({abs: 'sum_abs', positive: 'sum_positive', negative: 'sum_negative'});

/** @param {HTMLElement} section @param {TextAnswer} answer */
export function showTokenTotals(section, answer) {
  const most = Math.max(...answer.by_token.map((one) => one.sum_abs), 1e-30);
  const furthest = Math.max(...answer.by_token.map((one) => Math.abs(one.contribution ?? 0)), 1e-30);
  const rows = answer.by_token.filter((one, i) => i < TOTALS || one.token === answer.predicted || one.token === answer.target);
  redraw(section,
    h('div.head', {}, h('h2', {id: 'classes-title'}, 'By what followed'),
      csvButton(`totals-${fileOf(answer)}-layer-${answer.layer}`, 'totals by continuation',
        ['token', 'text', 'patterns', 'sum_abs', 'sum_positive', 'sum_negative', 'contribution'],
        () => answer.by_token.map((one) => [one.token, one.text, one.patterns, one.sum_abs, one.sum_positive, one.sum_negative, one.contribution]))),
    h('table.totals', {},
      h('thead', {}, h('tr', {}, ['Followed by', 'Σ |attention|', '', 'patterns', ...(answer.exactness.dual ? [`gave ${named(textOf(answer, answer.logit))}`, ''] : [])]
        .map((name, i) => name === '' ? h('td') : h(i ? 'th.number' : 'th', {scope: 'col'}, name)))),
      h('tbody', {}, rows.map((one) => h('tr', {className: one.token === answer.predicted ? 'said' : ''},
        h('th', {scope: 'row'}, h('code', {}, visible(one.text)), one.token === answer.target ? ' ✓' : ''),
        h('td.number', {}, short(one.sum_abs)),
        h('td.scale', {'aria-hidden': 'true'}, h('span.track', {}, h('i', {style: {width: `${100 * one.sum_abs / most}%`}}))),
        h('td.number', {}, count(one.patterns)),
        answer.exactness.dual ? [h('td.number', {}, signed(one.contribution ?? 0)),
          h('td.scale', {'aria-hidden': 'true'}, h('span.diverging', {}, h((one.contribution ?? 0) < 0 ? 'i.minus' : 'i.plus', {
            style: {width: `${50 * Math.abs(one.contribution ?? 0) / furthest}%`}})))] : null)))),
    h('p.soft', {}, `Totals over all ${count(answer.patterns)} patterns, of layer ${answer.layer}; contributions of the output layer.`));
}

/** What the groups are called here; '' where there is none. @param {TextAnswer} answer */
function groupLabels(answer) {
  return {said: `went on with ${named(textOf(answer, answer.predicted))}`,
    target: answer.target === null || answer.target === answer.predicted ? '' : `went on with ${named(textOf(answer, answer.target))}`,
    other: 'went on otherwise'};
}

/** @param {HTMLElement} section @param {State} state @param {TextPanels} panels @param {Actions} actions */
export function showTextTime(section, state, panels, actions) {
  const values = panels.time[MEASURES[state.of]];
  const labels = groupLabels(panels);
  const lines = GROUPS.filter(({name}) => labels[name]).map(({name, colour}) => ({label: labels[name], colour, width: 2, values: values[name]}));
  redraw(section,
    h('div.head', {}, h('h2', {}, 'Over training time'),
      csvButton(`time-${fileOf(panels)}-layer-${panels.layer}`, 'attention over time', ['first_step', 'group', 'sum_abs', 'sum_positive', 'sum_negative'],
        () => panels.time.first_steps.flatMap((step, bin) => GROUPS.map(({name}) => [step, name, panels.time.sum_abs[name][bin],
          panels.time.sum_positive[name][bin], panels.time.sum_negative[name][bin]])))),
    h('div.controls', {}, choice([{value: 'abs', text: '|attention|'}, {value: 'positive', text: 'positive'}, {value: 'negative', text: 'negative'}],
      state.of, 'Which attention', (value) => actions.choose({of: /** @type {any} */ (value)}))),
    chart({label: `Attention of layer ${panels.layer} by step`, xLabel: 'from step', yLabel: `Σ ${state.of === 'abs' ? '|attention|' : `${state.of} attention`}`, x: panels.time.first_steps, lines}),
    legend(lines));
}

/** The strongest of every group, sorted. @param {HTMLElement} section @param {TextPanels} panels @param {Actions} actions */
export function showStrongest(section, panels, actions) {
  const x = Array.from({length: Math.max(...panels.curves.map((curve) => curve.attention.length), 1)}, (_, i) => i + 1);
  const shown = panels.curves.filter((curve) => curve.attention.length);
  const lines = shown.map((curve) => ({label: groupLabels(panels)[curve.group], width: 2,
    colour: /** @type {string} */ (GROUPS.find(({name}) => name === curve.group)?.colour),
    values: x.map((_, i) => curve.attention[i] === undefined ? null : Math.abs(curve.attention[i]))}));
  redraw(section,
    h('div.head', {}, h('h2', {}, 'The 500 strongest of each'),
      csvButton(`curves-${fileOf(panels)}-layer-${panels.layer}`, 'the strongest of each group', ['group', 'rank', 'attention', 'sample', 'step'],
        () => shown.flatMap((curve) => curve.attention.map((attention, i) => [curve.group, i + 1, attention, curve.sample[i], curve.step[i]])))),
    h('p.soft', {}, `|attention| of layer ${panels.layer}, sorted, by how the attended contexts went on. A click goes to the position.`),
    chart({label: 'The largest attentions of each group', xLabel: 'rank', yLabel: '|attention|', x, lines,
      pick: (index, line) => actions.explain(shown[line].sample[index])}),
    legend(lines));
}

/** @param {HTMLElement} section @param {Run} run @param {TextPanels} panels */
export function showTextLearning(section, run, panels) {
  const {steps, tokens, first_won: first, last_changed: since} = panels.learning;
  const lines = tokens.map((one, i) => ({label: named(one.text), colour: i === 0 ? '--c0' : i === 1 ? '--c1' : '--c2', width: 2.5,
    values: one.probabilities}));
  redraw(section,
    h('div.head', {}, h('h2', {}, 'How the answer was learned'),
      csvButton(`learned-${fileOf(panels)}`, 'how the answer was learned', ['step', 'text', 'logit', 'probability'],
        () => tokens.flatMap((one) => steps.map((step, i) => [step, one.text, one.logits[i], one.probabilities[i]])))),
    h('p', {}, h('strong', {}, h('code', {}, visible(textOf(panels, panels.predicted)))), since === 0 ? ' was expected from the initial weights on.' :
      first === since ? ` became what it expects here at step ${count(since)} and stayed it.` :
        ` was first expected at step ${count(first)} and is since step ${count(since)}, as far as ${steps.length} points tell.`),
    run.snapshots ? null : h('p.soft', {}, 'This run keeps no snapshots: only its begin and end are known.'),
    chart({label: 'Probabilities at points of the training', xLabel: 'step', yLabel: 'probability', x: steps, lines,
      marks: since ? [{x: since, label: 'since then'}] : []}),
    legend(lines));
}

/** @param {HTMLElement} section @param {TextPanels} panels @param {Actions} actions */
export function showAlong(section, panels, actions) {
  const {along} = panels;
  const mean = along.sum_abs.map((sum, i) => along.patterns[i] ? sum / along.patterns[i] : null);
  const best = along.documents.filter((one) => one.patterns).sort((a, b) => b.sum_abs / b.patterns - a.sum_abs / a.patterns).slice(0, 5);
  redraw(section,
    h('div.head', {}, h('h2', {}, 'Along the text'),
      csvButton(`along-${fileOf(panels)}-layer-${panels.layer}`, 'attention along the text', ['document', 'first_sample', 'patterns', 'sum', 'sum_abs'],
        () => along.documents.map((one) => [one.name, one.sample, one.patterns, one.sum, one.sum_abs]))),
    chart({label: 'Mean |attention| along the training text', xLabel: 'position', yLabel: 'mean |attention|', x: along.first,
      lines: [{label: 'mean |attention|', colour: '--c0', values: mean, width: 1.5}],
      pick: (index) => actions.explain(along.first[index])}),
    h('p.soft', {}, 'Mean |attention| of the patterns of every part of the training text. Most in ',
      ...best.flatMap((one, i) => [i ? ', ' : '', h('button.link', {type: 'button', onclick: () => actions.explain(one.sample)},
        one.name.replace(/\.\w+$/, '').replaceAll('_', ' '))]), '.'));
}
