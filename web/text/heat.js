// A whole passage against the training text: what every one of its tokens attends to most.

import {getHeat, heatQuestion} from '../api.js';
import {csvButton} from '../csv.js';
import {h, redraw} from '../dom.js';
import {short} from '../format.js';
import {above, light} from '../scale.js';
import {offerAway} from '../take.js';
import {bare, marked, where} from './tokens.js';

/** @import {Actions, Heat, Run, Snippet, TextAnswer} from '../types.js' */
/** @import {State} from '../state.js' */

const BEFORE = {characters: 47, words: 31, whitespace: 31}; // tokens before the place asked about

/** @param {Snippet} snippet */
function snippetText(snippet) {
  return marked(snippet.texts.map((text) => text.replaceAll('\n', '⏎')), new Map([[snippet.offset, {className: 'lit', style: {'--light': '1'}}]]));
}

/** How far a token's attention stands above its mean. @param {Heat['rows'][0]} row @param {number} attention @param {string} rank */
function deviations(row, attention, rank) {
  return above(/** @type {any} */ (row), rank === 'abs' ? Math.abs(attention) : rank === 'negative' ? -attention : attention);
}

/** @param {Heat} heat @param {(i: number) => void} look */
function strip(heat, look) {
  return h('p.heat-text', {}, heat.rows.map((row, i) => {
    const best = row.best[0];
    const strength = best ? deviations(row, best.attention, heat.rank) : 0;
    return h('button.heat-token', {type: 'button', style: {'--light': light(strength / 2).toFixed(3)}, id: `heat-${i}`,
      title: `${bare(heat.texts[i])}: ${short(strength)} σ`, onclick: () => look(i), onmouseenter: () => look(i), onfocus: () => look(i)},
    /^\s+$/.test(heat.texts[i]) ? bare(heat.texts[i]) : heat.texts[i]);
  }));
}

/** @param {Heat} heat @param {Actions} actions */
function matrix(heat, actions) {
  return h('div.scroll', {tabIndex: 0, role: 'region', 'aria-label': 'Attention of every token to the positions that stand out most'},
    h('table.heat', {},
      h('tbody', {}, heat.columns.map((column, c) => h('tr', {},
        h('th', {scope: 'row'}, h('button.snippet', {type: 'button', title: `Ask about ${where(/** @type {any} */ (column))}`,
          onclick: () => actions.explain(column.sample)}, ...snippetText(column))),
        heat.rows.map((row, i) => {
          const strength = deviations(row, row.attention[c], heat.rank);
          return h('td', {style: {'--light': light(strength).toFixed(3)},
            title: `${bare(heat.texts[i])} to ${bare(column.texts[column.offset])}: ${short(row.attention[c])}, ${short(strength)} σ`});
        })))),
      h('tfoot', {}, h('tr', {}, h('td', {}), heat.texts.map((text) => h('td.tick-token', {}, bare(text)))))));
}

/** What is read up to the place asked about, which ends the passage. @param {Run} run @param {State} state @param {TextAnswer} answer */
function passageOf(run, state, answer) {
  const before = BEFORE[/** @type {{tokens: 'characters'}} */ (run.datasets[0].text).tokens];
  const sample = state.sample ?? 0;
  if (state.text !== null) return {text: answer.subject.texts.join(''), count: before + 1};
  const split = Object.values(run.datasets[0].splits).find(({first_sample: first, samples}) =>
    sample >= first && sample < first + samples) ?? run.datasets[0].splits.train;
  const first = Math.max(split.first_sample, sample - before);
  return {sample: first, count: sample - first + 1};
}

/** @param {HTMLElement} section @param {Run} run @param {State} state @param {TextAnswer} answer @param {Actions} actions
 *  @param {AbortSignal} signal */
export async function showHeat(section, run, state, answer, actions, signal) {
  const rank = ['abs', 'positive', 'negative'].includes(state.rank) ? state.rank : 'abs';
  const layer = state.layer ?? run.layers.length;
  const passage = {...passageOf(run, state, answer), layer, rank};
  const heat = await getHeat(run.id, passage, signal);
  if (signal.aborted) return;
  const detail = h('div.heat-best', {'aria-live': 'polite'});
  const look = (/** @type {number} */ i) => detail.replaceChildren(
    h('span.soft', {}, `${bare(heat.texts[i])} attends most to `),
    ...heat.rows[i].best.map((best) => h('button.snippet', {type: 'button', onclick: () => actions.explain(best.sample)},
      ...snippetText(best), h('span.soft', {}, ` ${short(best.attention)}`))));
  redraw(section,
    h('div.head', {}, h('h2', {}, 'The passage as a heat map'),
      csvButton(`heat-layer-${heat.layer}`, 'the heat map', ['token', 'text', 'mean', 'deviation', ...heat.columns.map((one) => `position_${one.sample}`)],
        () => heat.rows.map((row, i) => [i, heat.texts[i], row.mean, row.deviation, ...row.attention]))),
    h('p.soft', {}, `Every token of the passage as a query of layer ${heat.layer}: lit as far as its best training position stands above the mean of the `,
      'whole history, in full at 12 standard deviations. Below, in full at 6, the positions that stand out most over all tokens.'),
    strip(heat, look), detail, matrix(heat, actions));
  offerAway(section, run, state, null, {title: 'The passage as a heat map', resource: 'heat', figures: ['heat'], asked: heatQuestion(run.id, passage)});
  look(Math.max(0, heat.rows.length - 1));
}
