// The spotlight: which patterns, or training samples, a layer attends to.

import {imageUrl} from '../api.js';
import {csvButton} from '../csv.js';
import {className, count, outputName, scientific, short, signed, subjectFile} from '../format.js';
import {choice, h, redraw, select} from '../dom.js';
import {K_MAX} from '../state.js';

/** @import {Answer, Lit, Run, Subject} from '../types.js' */
/** @import {State} from '../state.js' */
/** @import {Actions} from '../types.js' */

/** Light is full this many standard deviations above the mean. */
const FULL_LIGHT = 6;
const MORE = [20, 50, 100, 200];

/** Standard deviations of a score above the mean of everything that could be lit.
 *  @param {Answer} answer @param {number} score */
function above(answer, score) {
  const {mean, deviation} = answer.scores;
  return deviation > 0 ? (score - mean) / deviation : 0;
}

/** From 0 (at the mean or below: dark) to 1. @param {number} deviations */
function light(deviations) {
  return Math.max(0, Math.min(1, deviations / FULL_LIGHT));
}

/** @param {Run} run @param {State} state @param {Answer} answer @param {Actions} actions */
function controls(run, state, answer, actions) {
  const said = outputName(run, answer.predicted);
  const chosen = state.rank.startsWith('logit') ? 'logit' : state.rank;
  const outputs = answer.logits.map((_, output) => ({value: String(output),
    text: outputName(run, output)}));
  const logit = state.rank.startsWith('logit:') ? state.rank.slice(6) : '';
  const last = run.layers.length;
  return h('div.controls', {},
    h('span.control', {}, 'layer', choice(run.layers.map((layer) => ({value: String(layer.layer),
      text: String(layer.layer), title: `${layer.inputs} inputs, ${layer.outputs} outputs`})),
    String(answer.layer), 'Layer',
    (value) => actions.choose({layer: Number(value) === last ? null : Number(value)}))),
    h('span.control', {}, 'rank by', choice([
      {value: 'abs', text: '|attention|', title: 'Largest attention, whatever its sign'},
      {value: 'positive', text: '+', title: 'Most positive attention'},
      {value: 'negative', text: '−', title: 'Most negative attention'},
      {value: 'logit', text: `for ${outputName(run, answer.logit)}`,
        title: 'Largest contribution to this logit'}],
    chosen, 'Rank by', (value) => actions.choose({rank: value})),
    chosen === 'logit' ? select([{value: '', text: `as called (${said})`}, ...outputs], logit,
      'Contribution to', (value) => actions.choose({rank: value === '' ? 'logit' : `logit:${value}`})) : null),
    h('span.control', {}, 'by', choice([
      {value: 'pattern', text: 'pattern', title: 'Every showing of an image by itself'},
      {value: 'sample', text: 'sample', title: 'All showings of an image summed'}],
    answer.by, 'By', (value) => actions.choose({by: /** @type {any} */ (value)}))),
    h('span.control', {}, 'from', select([{value: '', text: 'all classes'}, ...outputs],
      String(state.class ?? ''), 'Training class',
      (value) => actions.choose({class: value === '' ? null : Number(value)}))));
}

/** @param {Run} run @param {Answer} answer @param {Lit} lit @param {number} most
 *  @param {Actions} actions */
function card(run, answer, lit, most, actions) {
  const name = className(run, lit.sample.dataset, lit.sample.label);
  const deviations = above(answer, lit.score);
  const when = answer.by === 'sample' ? `× ${lit.repetitions}` : `step ${lit.step}`;
  const target = outputName(run, answer.logit);
  const label = `${lit.rank}. ${name}, training image ${lit.sample.index}, ` +
    `attention ${short(lit.attention)}, contribution to ${target} ${signed(lit.contribution)}, ` +
    `${short(deviations)} deviations above the mean, ${when}. Ask about it.`;
  return h('li', {}, h('button.card', {type: 'button', id: `lit-${lit.rank}`, 'aria-label': label,
    'data-sample': lit.sample.id, 'data-attention': lit.attention,
    title: `${short(deviations)} standard deviations above the mean`,
    style: {'--light': light(deviations).toFixed(3)}, onclick: () => actions.explain(lit.sample.id)},
  h('span.frame', {}, h('img', {src: imageUrl(run.id, lit.sample.id, 4), alt: '', loading: 'lazy'})),
  h('span.strength', {}, h(lit.attention < 0 ? 'i.minus' : 'i.plus', {
    style: {width: `${100 * Math.abs(lit.attention) / most}%`}})),
  h('span.line', {}, h('b', {}, h('i.dot', {'data-class': lit.sample.label % 10}), name)),
  h('span.line', {}, h('span', {}, short(lit.attention)),
    h(lit.contribution < 0 ? 'span.minus' : 'span.plus', {}, signed(lit.contribution))),
  h('span.line.soft', {}, h('span', {}, `#${lit.sample.index}`), h('span', {}, when))));
}

/** @param {Run} run @param {Answer} answer */
function legend(run, answer) {
  const unit = answer.by === 'sample' ? 'samples' : 'patterns';
  const score = {abs: '|attention|', positive: 'attention', negative: '−attention',
    logit: 'contribution'}[answer.rank] ?? '';
  const ticks = [0, 2, 4, FULL_LIGHT];
  return h('div.legend', {},
    h('span.scale-light', {'aria-hidden': 'true'}, ticks.map((tick) =>
      h('span.tick', {style: {'--light': String(light(tick))}}, tick === 0 ? 'mean' : tick === FULL_LIGHT ?
        `+${tick} σ and more` : `+${tick}`))),
    h('p', {}, `Light: how far the ${score} stands above the mean of all ${count(answer.scores.count)} ` +
      `${unit} (${short(answer.scores.mean)}), in standard deviations (${short(answer.scores.deviation)}).`),
    h('p', {}, 'Under each image: attention, with ', h('i.swatch.plus'), 'positive or ',
      h('i.swatch.minus'), `negative bar; then the contribution to ${outputName(run, answer.logit)}, `,
      answer.contribution_kind === 'exact' ? 'exact in this layer.' :
        'first-order in this layer.'));
}

/** @param {State} state @param {Answer} answer @param {Actions} actions */
function more(state, answer, actions) {
  const next = MORE.find((k) => k > state.k);
  if (next === undefined || next > K_MAX || answer.spotlight.length < state.k) return null;
  return h('button', {type: 'button', id: 'more', onclick: () => actions.choose({k: next})},
    `Show ${next}`);
}

/** @param {HTMLElement} section @param {Run} run @param {State} state @param {Answer} answer
 *  @param {Subject} subject @param {Actions} actions */
export function showSpotlight(section, run, state, answer, subject, actions) {
  const most = Math.max(...answer.spotlight.map((lit) => Math.abs(lit.attention)), 1e-30);
  const rows = () => answer.spotlight.map((lit) => [lit.rank, lit.sample.dataset, lit.sample.index,
    className(run, lit.sample.dataset, lit.sample.label), lit.pattern, lit.step,
    lit.repetitions ?? 1, lit.attention, lit.contribution, lit.score, above(answer, lit.score)]);
  redraw(section,
    h('div.head', {}, h('h2', {id: 'spotlight-title'}, 'The spotlight'),
      h('span.soft', {id: 'exactness', title: 'Largest difference between a logit and initial guess + correction, computed from the whole history'},
        `dual = primal within ${scientific(answer.exactness.max_abs_error)} · ${short(answer.timing_ms)} ms`),
      csvButton(`spotlight-${subjectFile(subject)}-layer-${answer.layer}`,
        'the spotlight', ['rank', 'dataset', 'index', 'class', 'pattern', 'step', 'repetitions',
          'attention', 'contribution', 'score', 'deviations_above_mean'], rows)),
    controls(run, state, answer, actions),
    answer.spotlight.length ? h('ol.cards', {}, answer.spotlight.map((lit) =>
      card(run, answer, lit, most, actions))) :
      h('p.empty', {}, 'No training sample of this class was seen in this run.'),
    h('div.under', {}, legend(run, answer), more(state, answer, actions) ?? ''));
}
