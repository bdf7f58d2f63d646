// The spotlight over a text: the training passages that a layer attends to, in context.

import {csvButton} from '../csv.js';
import {choice, h, redraw, select} from '../dom.js';
import {agreement, count, short, signed} from '../format.js';
import {rankChoices, ranksOf} from '../ranks.js';
import {FULL_LIGHT, above, light} from '../scale.js';
import {layerChoice} from '../views/layer_choice.js';
import {fileOf, textOf} from './answer.js';
import {marked, named, visible, where} from './tokens.js';

/** @import {Actions, Passage, Run, TextAnswer} from '../types.js' */
/** @import {State} from '../state.js' */

const MORE = [20, 50, 100];

/** @param {boolean} dual @param {boolean} here whether contributions through this very layer are known */
function ranks(dual, here) {
  return ranksOf(dual).filter((rank) => !rank.takes_logit || (rank.uses_layer && here));
}

/** @param {Run} run @param {State} state @param {TextAnswer} answer @param {Actions} actions */
function controls(run, state, answer, actions) {
  const [chosen, logit = ''] = state.rank.split(':');
  const last = run.layers.length;
  return h('div.controls', {},
    h('span.control', {}, 'layer', run.recorded ? layerChoice(run, answer.layer, (layer) => actions.choose({layer, ...(chosen === 'logit' && !run.layers[(layer ?? last) - 1].errors && {rank: 'abs'})})) :
      choice(run.layers.map(({layer, inputs, outputs}) => ({value: String(layer),
      text: layer === last ? 'output' : `LSTM${last > 2 ? ` ${layer}` : ''}`,
      title: layer === last ? `keys are the ${inputs} cells’ outputs` : `keys are [x ; h], ${inputs} numbers; ${outputs} gates`})),
    String(answer.layer), 'Layer', (value) => actions.choose({layer: Number(value) === last ? null : Number(value),
      ...(chosen === 'logit' && !run.layers[Number(value) - 1].errors && {rank: 'abs'})}))),
    h('span.control', {}, 'by', choice([
      {value: 'pattern', text: 'showing', title: 'Every showing of a position by itself'},
      {value: 'sample', text: 'position', title: 'All showings of a position summed'}],
    answer.by, 'By', (value) => actions.choose({by: /** @type {any} */ (value)}))),
    h('span.control', {}, 'that continue', select([{value: '', text: 'in any way'},
      ...answer.next.slice(0, 30).map((one) => ({value: String(one.token), text: `with ${named(one.text)}`}))],
    String(state.class ?? ''), 'Continuation', (value) => actions.choose({class: value === '' ? null : Number(value)}))),
    h('span.control.ranks', {}, h('span', {}, 'rank by'), choice(rankChoices(ranks(answer.exactness.dual, answer.contribution_kind !== 'none')), chosen, 'Rank by',
      (value) => actions.choose({rank: value})),
    chosen === 'logit' ? select([{value: '', text: `to what it expects (${visible(textOf(answer, answer.predicted))})`},
      ...answer.next.filter(({token}) => !run.recorded || answer.layer === last || token === answer.predicted || token === answer.target)
        .map((one) => ({value: String(one.token), text: visible(one.text)}))], logit, 'Contribution to',
    (value) => actions.choose({rank: value === '' ? 'logit' : `logit:${value}`})) : null));
}

/** @param {TextAnswer} answer @param {Passage} passage @param {Actions} actions */
function entry(answer, passage, actions) {
  const [best] = passage.places;
  const deviations = above(answer.scores, best.score);
  /** @type {Map<number, Record<string, any>>} */
  const marks = new Map();
  for (const place of [...passage.places].reverse()) {
    const strength = light(above(answer.scores, place.score)).toFixed(3);
    if (!marks.has(place.offset + 1)) marks.set(place.offset + 1, {className: 'follows', title: 'what followed there'});
    marks.set(place.offset, {className: 'lit', style: {'--light': strength}, 'data-sample': place.sample,
      title: `attention ${short(place.attention)}; shown ${place.repetitions} times in training`});
  }
  const others = passage.places.length - 1;
  return h('li.passage', {style: {'--light': light(deviations).toFixed(3)}, 'data-sample': best.sample, 'data-attention': best.attention},
    h('div.beam', {'aria-hidden': 'true'}),
    h('blockquote', {}, ...marked(passage.texts, marks)),
    h('div.facts-of', {},
      h('b', {}, short(best.attention)),
      best.contribution === null ? null : h(best.contribution < 0 ? 'span.minus' : 'span.plus', {}, `${signed(best.contribution)} to ${named(textOf(answer, answer.logit))}`),
      h('span', {title: 'standard deviations above the mean'}, `${short(deviations)} σ`),
      h('span.soft', {}, where(/** @type {any} */ (passage))),
      h('span.soft', {}, answer.by === 'sample' ? `${best.repetitions} showings` :
        `step ${count(best.step)}, ${best.lit} of ${best.repetitions} showing${best.repetitions === 1 ? '' : 's'} lit`),
      others ? h('span.soft', {}, `+ ${others} lit nearby`) : null,
      h('button.quiet', {type: 'button', id: `ask-${passage.rank}`, onclick: () => actions.explain(best.sample),
        'aria-label': `Ask about passage ${passage.rank}`}, 'ask'),
      answer.exactness.dual ? h('button.quiet', {type: 'button', onclick: () => actions.remove(`sample:${best.sample}`),
        'aria-label': `Take passage ${passage.rank} out of the memory`, title: 'Take this position out of the memory'}, '−') : null));
}

/** @param {TextAnswer} answer @param {boolean} recorded */
function legend(answer, recorded) {
  const kind = {first_order_recorded: 'first order, through all tokens that were read', exact: 'exact in this layer', first_order: 'first order, through the gates at the last token', none: 'not recorded for this layer',
    approximate: 'approximate: of the error signals only the largest were recorded'}[answer.contribution_kind === 'first_order' && recorded ? 'first_order_recorded' : answer.contribution_kind];
  return h('div.legend.scale', {},
    h('div.scale-light', {'aria-hidden': 'true'}, [0, 2, 4, FULL_LIGHT].map((tick) =>
      h('span.tick', {style: {'--light': String(light(tick))}}, tick === 0 ? 'mean' : tick === FULL_LIGHT ? `+${tick} σ and more` : `+${tick}`))),
    h('p', {}, h('mark.lit', {style: {'--light': '1'}}, 'lit'), ' the token that was read there, as bright as its score stands above the mean of all ',
      `${count(answer.scores.count)} (${short(answer.scores.mean)}), in standard deviations (${short(answer.scores.deviation)}); `,
      h('mark.follows', {}, 'framed'), ' what followed. The numbers are attention, then the contribution, ', kind, '.'));
}

/** The vote of what is attended to. @param {TextAnswer} answer */
function vote(answer) {
  const {by_first: first, by_total: total} = answer.vote;
  return h('p.soft.vote', {}, 'The most attended position went on with ', h('code', {}, visible(first?.text ?? '')),
    '; most |attention| in all is on contexts that went on with ', h('code', {}, visible(total.text)), '.');
}

/** @param {HTMLElement} section @param {Run} run @param {State} state @param {TextAnswer} answer @param {Actions} actions */
export function showPassages(section, run, state, answer, actions) {
  const rows = () => answer.passages.flatMap((passage) => passage.places.map((place) => [passage.rank, passage.document.name,
    place.sample, passage.texts[place.offset], passage.texts[place.offset + 1], place.step, place.repetitions, place.attention,
    place.contribution, place.score, above(answer.scores, place.score), passage.texts.join('')]));
  const more = MORE.find((k) => k > state.k);
  redraw(section,
    h('div.head', {}, h('h2', {id: 'spotlight-title'}, 'The spotlight'),
      h('span.soft', {id: 'exactness'}, !answer.exactness.dual ? '' : answer.exactness.left_out > 0 && !answer.history_share ? 'contributions approximate · ' :
        `${agreement(answer)} · `,
        `${short(answer.timing_ms)} ms`),
      csvButton(`passages-${fileOf(answer)}-layer-${answer.layer}`, 'the spotlight', ['rank', 'document', 'sample', 'token', 'followed_by', 'step',
        'repetitions', 'attention', 'contribution', 'score', 'deviations_above_mean', 'passage'], rows)),
    controls(run, state, answer, actions), h('div', {id: 'truth-place'}),
    vote(answer),
    h('ol.passages', {}, answer.passages.map((passage) => entry(answer, passage, actions))),
    h('div.under', {}, legend(answer, run.recorded), more && answer.passages.length >= state.k ? h('button', {type: 'button', id: 'more',
      onclick: () => actions.choose({k: more})}, `Show ${more}`) : ''));
}
