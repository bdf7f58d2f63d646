// The spotlight: which patterns, or training samples, a layer attends to.

import {csvButton} from '../csv.js';
import {agreement, classCount, className, count, noun, numberedClass, outputName, percent, short, signed, subjectFile} from '../format.js';
import {choice, h, redraw, select} from '../dom.js';
import {rankChoices, rankOf, ranksOf, scoreName} from '../ranks.js';
import {boxStyle, placeName} from '../places.js';
import {FULL_LIGHT, above, light} from '../scale.js';
import {K_MAX} from '../state.js';
import {layerChoice} from './layer_choice.js';
import {depict} from '../depict.js';

/** @import {Answer, Common, Lit, Run, Subject} from '../types.js' */
/** @import {State} from '../state.js' */
/** @import {Actions} from '../types.js' */

const MORE = [20, 50, 100, 200];

/** What a rank tells, and what not. @param {Run} run @param {Answer} answer @param {string} target */
function difference(run, answer, target) {
  const ofLayer = `Attention, and what it adds, are of layer ${answer.layer}.`;
  if (answer.rank === 'cosine')
    return 'Cosine is not the dual form: it tells which keys point the same way, whatever their lengths.';
  if (['proponents', 'opponents'].includes(answer.rank))
    return `Effect on this sample’s loss, first order, summed over all layers: what the weights owe to an image, not what retraining without it would change. ${ofLayer}`;
  if (['influence', 'hindrance'].includes(answer.rank))
    return `An estimate of what retraining without ${run.kind === 'described' ? 'a sample' : 'an image'} would change, summed over all layers. ${ofLayer}`;
  if (answer.rank === 'effect')
    return `Effect on the logit of ${target}, first order, summed over all layers. ${ofLayer}`;
  return 'Attention tells where the layer looks; the contribution, what that did. Neither tells what retraining without them would change: “would be missed” estimates that.';
}

/** @param {Run} run @param {State} state @param {Answer} answer @param {Actions} actions */
export function controls(run, state, answer, actions) {
  const said = outputName(run, answer.predicted);
  const [chosen, logit = ''] = state.rank.split(':');
  const outputs = answer.logits.map((_, output) => ({value: String(output),
    text: outputName(run, output)}));
  const classes = Array.from({length: classCount(run)}, (_, number) => ({value: String(number),
    text: numberedClass(run, number)}));
  return h('div', {}, h('div.controls', {},
    rankOf(chosen)?.uses_layer === false ? null : h('span.control', {}, 'layer', layerChoice(run, answer.layer, (layer) => actions.choose({layer, place: null}))),
    state.place === null || run.layers[answer.layer - 1].places < 2 ? null : h('span.control', {}, 'at', h('b', {}, placeName(run.layers[answer.layer - 1], state.place)),
      h('button.quiet', {type: 'button', id: 'no-place', 'aria-label': 'All places together', onclick: () => actions.choose({place: null})}, '×')),
    h('span.control', {}, 'by', choice([
      {value: 'pattern', text: 'pattern', title: 'Every showing of a sample by itself'},
      {value: 'sample', text: 'sample', title: 'All showings of a sample summed'}],
    answer.by, 'By', (value) => actions.choose({by: /** @type {any} */ (value)}))),
    h('span.control', {}, 'from', select([{value: '', text: 'all classes'}, ...classes],
      String(state.class ?? ''), 'Training class',
      (value) => actions.choose({class: value === '' ? null : Number(value)}))),
    h('span.control.ranks', {}, h('span', {}, 'rank by'), choice(rankChoices(ranksOf(run.dual)), chosen, 'Rank by', (value) => actions.choose({rank: value})),
      rankOf(chosen)?.takes_logit ? select([{value: '', text: `as called (${said})`}, ...outputs], logit,
        'Contribution to', (value) => actions.choose({rank: value === '' ? chosen : `${chosen}:${value}`})) : null)),
  h('p.soft.difference', {}, difference(run, answer, outputName(run, answer.logit))), h('div', {id: 'truth-place'}));
}

/** @param {Run} run @param {Answer} answer @param {Lit} lit @param {number} most
 *  @param {Actions} actions @param {string} prefix of ids */
function card(run, answer, lit, most, actions, prefix) {
  const name = className(run, lit.sample.dataset, lit.sample.label);
  const deviations = above(answer.scores, lit.score), rank = rankOf(answer.rank);
  /** What the ranking is about, if the card does not tell it anyway. */
  const other = !rank?.of_attention && !rank?.uses_layer || rank.name === 'cosine' ? rank?.score_name : null;
  const ranked = other ? lit.score : rank?.of_attention ? lit.attention : lit.contribution;
  const out = `Take training ${noun(run)} ${lit.sample.index} out of the memory`;
  const when = answer.by === 'sample' ? `× ${lit.repetitions}` : `step ${lit.step}`;
  const more = `, training ${noun(run)} ${lit.sample.index}, number ${lit.rank}, ${short(deviations)} deviations above the mean. Ask about it.`;
  const box = boxStyle(run.layers[answer.layer - 1], lit.place, run.datasets.find(({name: own}) => own === lit.sample.dataset) ?? run.datasets[0]);
  return h('li', {}, h('button.card', {type: 'button', id: `${prefix}lit-${lit.rank}`,
    'data-sample': lit.sample.id, 'data-attention': lit.attention,
    title: `${short(deviations)} standard deviations above the mean${lit.sample.path ? `, ${lit.sample.path}` : ''}`,
    style: {'--light': light(deviations).toFixed(3)}, onclick: () => actions.explain(lit.sample.id)},
  h('span.frame', {}, depict(run.id, lit.sample, 4), box ? h('i.patch', {style: box}) : null),
  h('span.strength', {}, h(ranked < 0 ? 'i.minus' : 'i.plus', {
    style: {width: `${100 * Math.abs(lit.score) / most}%`}})),
  h('span.line', {}, h('b', {}, h('i.dot', {'data-class': lit.sample.label % 10}), name)),
  h('span.line', {}, h('span.soft', {}, 'attention'), h('span', {}, short(lit.attention))),
  lit.contribution === null ? null : h('span.line', {}, h('span.soft', {}, lit.contribution < 0 ? 'takes' : 'adds'),
    h(lit.contribution < 0 ? 'span.minus' : 'span.plus', {}, signed(lit.contribution))),
  other ? h('span.line.named', {}, h('span.soft', {title: other}, rank?.label),
    h(lit.score < 0 ? 'span.minus' : 'span.plus', {}, signed(lit.score))) : null,
  h('span.line.soft', {}, h('span', {}, `#${lit.sample.index}`), h('span', {}, when)),
  h('span.line.soft.common', {}), h('span.hidden', {}, more)),
  prefix || !run.dual ? null : h('button.take-out', {type: 'button', 'aria-label': out, title: out,
    onclick: () => actions.remove(`sample:${lit.sample.id}`)}, '−'));
}

/** @param {Run} run @param {Answer} answer @param {Actions} actions @param {string} [prefix] of ids */
export function cards(run, answer, actions, prefix = '') {
  const most = Math.max(...answer.spotlight.map((lit) => Math.abs(lit.score)), 1e-30);
  return answer.spotlight.length ? h('ol.cards', {}, answer.spotlight.map((lit) =>
    card(run, answer, lit, most, actions, prefix))) :
    h('p.empty', {}, 'No training sample of this class was seen in this run.');
}

/** @param {Run} run @param {Answer} answer */
export function legend(run, answer) {
  const unit = answer.by === 'sample' ? 'samples' : 'patterns', summed = answer.by === 'sample' ? ', summed over all its showings,' : '';
  const ticks = [0, 2, 4, FULL_LIGHT];
  return h('div.legend', {},
    h('span.scale-light', {'aria-hidden': 'true'}, ticks.map((tick) =>
      h('span.tick', {style: {'--light': String(light(tick))}}, tick === 0 ? 'mean' : tick === FULL_LIGHT ?
        `+${tick} σ and more` : `+${tick}`))),
    h('p', {}, `Light: how far the ${scoreName(answer.rank)}${summed} stands above the mean of all ${count(answer.scores.count)} ` +
      `${unit} (${short(answer.scores.mean)}), in standard deviations (${short(answer.scores.deviation)}).`),
    h('p.about-common', {}, 'Common: in what share of test queries it is among the top ten.'),
    h('p', {}, `Bars: its ${scoreName(answer.rank).replace(/[|\u2212]/g, '')}, `, h('i.swatch.plus'), 'positive or ', h('i.swatch.minus'),
      `negative. “adds” and “takes” are its contribution to ${outputName(run, answer.logit)} `,
      answer.contribution_kind === 'exact' ? 'through this layer, exact.' : 'through this layer, first-order.'));
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
  const rows = () => answer.spotlight.map((lit) => [lit.rank, lit.sample.dataset, lit.sample.index,
    className(run, lit.sample.dataset, lit.sample.label), lit.pattern, lit.step,
    lit.repetitions ?? 1, lit.attention, lit.contribution, rankOf(answer.rank)?.label, lit.score, above(answer.scores, lit.score)]);
  redraw(section,
    h('div.head', {}, h('h2', {id: 'spotlight-title'}, 'The spotlight'),
      h('span.soft', {id: 'exactness', title: 'Largest difference between a logit and initial guess + correction, computed from the whole history'},
        `${answer.exactness.dual ? `${agreement(answer)} · ` : 'attention only · '}${short(answer.timing_ms)} ms`),
      csvButton(`spotlight-${subjectFile(subject)}-layer-${answer.layer}`,
        'the spotlight', ['rank', 'dataset', 'index', 'class', 'pattern', 'step', 'repetitions',
          'attention', 'contribution', 'ranked_by', 'score', 'deviations_above_mean'], rows)),
    controls(run, state, answer, actions),
    cards(run, answer, actions),
    h('div.under', {}, legend(run, answer), more(state, answer, actions) ?? ''),
    h('p.common-note', {role: 'status'})); // it comes late, into room that is kept for it
}

/** A sample in the top ten of more queries than this is common: of even chances, with one class in
 *  ten alike, it would be of one in a thousand. */
const COMMON = 0.05;
const COMMON_QUERIES = 5;

/** The rank that tells how common what is lit is. @param {Answer} answer */
export function commonRank(answer) {
  return rankOf(answer.rank)?.of_attention ? answer.rank : 'abs';
}

/** Says under each image in what share of test queries it is among the top ten, and warns when most of
 *  the first ten are common. @param {HTMLElement} section @param {Answer} answer @param {Common} common */
export function showCommon(section, answer, common) {
  const shares = new Map(common.samples.map(({id, share}) => [id, share]));
  for (const card of section.querySelectorAll('.card')) {
    const share = shares.get(Number(/** @type {HTMLElement} */ (card).dataset.sample)) ?? 0;
    const line = /** @type {HTMLElement} */ (card.querySelector('.common'));
    line.replaceChildren(h('span', {}, 'common'), h('span', {}, percent(share, share < 0.1 ? 1 : 0)));
    line.dataset.share = String(share);
    line.classList.toggle('often', share >= Math.max(COMMON, COMMON_QUERIES / common.queries));
    line.title = `Among the top ten of ${percent(share)} of ${common.queries} test queries by ` +
      `${common.rank === 'abs' ? '|attention|' : common.rank}`;
  }
  const first = answer.spotlight.slice(0, common.top);
  const least = Math.max(COMMON, COMMON_QUERIES / common.queries); // of few queries a few are no rule
  const often = first.filter((lit) => (shares.get(lit.sample.id) ?? 0) >= least).length;
  const note = /** @type {HTMLElement} */ (section.querySelector('.common-note'));
  note.classList.toggle('warning', often > first.length / 2);
  note.replaceChildren(often > first.length / 2 ? `${often} of the first ${first.length} light up for many test samples ` +
    `(top ten of ${percent(least, 0)} or more of ${common.queries} queries): this spotlight tells more of those training samples ` +
    'than of this query. Try cosine.' : '');
  section.dataset.common = 'known';
}
