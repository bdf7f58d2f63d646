// What the network says that never saw some of its training samples: it is trained again, for the truth of what scores foretold.

import {lookErrand} from '../api.js';
import {csvButton} from '../csv.js';
import {byId, h, redraw} from '../dom.js';
import {count, fixed, nameOf, noun, percent, signed, short} from '../format.js';
import {begin, duration, followJob} from '../jobs.js';
import {rankOf} from '../ranks.js';
import {removalTerms} from '../state.js';

/** @import {Actions, Manner, Retrained, Run, Visit} from '../types.js' */
/** @import {State} from '../state.js' */

/** The words of the question. @param {Run} run @param {State} state @returns {Record<string, string>} */
export function retrainWords(run, {sample, without, among}) {
  const [rank, layer] = among.split('@');
  return {...(sample === null ? {} : {sample: nameOf(run, sample)}), without: without ?? '', ...(rank === 'influence' ? {} : {rank}), ...(layer ? {layer} : {})};
}

/** Whether a run can be trained again without some, for the sample that is asked about. @param {Run} run @param {State} state */
export function canRetrain(run, state) {
  return run.errands.includes('retrain') && state.sample !== null;
}

/** How long it takes. @param {Run} run @param {number|null} seconds */
export function takes(run, seconds) {
  return seconds === null ? `It trains its ${count(run.steps)} steps again.` : `It takes about ${duration(seconds)}.`;
}

/** A button that begins it, and shows it. @param {Run} run @param {State} state @param {string} id @param {string} text
 *  @param {Pick<State, 'without'|'among'>} who @param {Actions} actions */
export function retrainButton(run, state, id, text, who, actions) {
  const it = h('button', {type: 'button', id, onclick: async () => {
    it.disabled = true;
    try {
      await begin({run: run.id, kind: 'retrain', words: retrainWords(run, {...state, ...who})});
      actions.choose(who);
      document.getElementById('retrained')?.scrollIntoView({block: 'nearest'});
    } catch (error) {
      it.after(h('span.soft', {role: 'alert'}, ` ${/** @type {Error} */ (error).message}`));
    }
    it.disabled = false;
  }}, text);
  return it;
}

/** Who is left out, in words. @param {Run} run @param {State} state @param {Manner} manner */
function names(run, state, manner) {
  const [rank, layer] = state.among.split('@'), terms = removalTerms(state.without), samples = terms.filter((term) => term.startsWith('sample:'));
  return [...terms.filter((term) => !samples.includes(term)).map((term) => {
    const n = /^top:(\d+)$/.exec(term)?.[1];
    if (n) return `the first ${n} by “${rankOf(rank)?.label}”${layer ? ` in layer ${layer}` : ''}`;
    return term === 'marked' ? 'those that are marked wrong' : manner.term(term);
  }), ...samples.length > 3 ? [`${samples.length} chosen ${noun(run)}s`] : samples.map((term) => manner.term(term))].join(' and ');
}

/** A number as a bar from the middle. @param {number} value @param {number} most */
function bar(value, most) {
  const share = 50 * Math.abs(value) / (most || 1);
  return h('td.scale', {'aria-hidden': 'true', style: {'--zero': '50%'}}, h(`i.${value < 0 ? 'minus' : 'plus'}`, {style: {
    left: `${value < 0 ? 50 - share : 50}%`, width: `${share}%`}}));
}

/** What the walk back foretold, where it was walked and tells of all who were left out; null: it does not.
 *  @param {Run} run @param {State} state @param {AbortSignal} signal @returns {Promise<number|null>} */
async function walked(run, state, signal) {
  const terms = removalTerms(state.without);
  if (!run.errands.includes('walk') || !terms.every((term) => term.startsWith('sample:'))) return null;
  const {answer} = await lookErrand(run.id, 'walk', {sample: nameOf(run, /** @type {number} */ (state.sample))}, signal);
  const [query] = answer?.queries ?? [], known = new Map([...query?.influence ?? [], ...query?.hindrance ?? []].map(({sample, influence}) => [sample.id, influence]));
  const parts = terms.map((term) => known.get(Number(term.slice('sample:'.length))));
  return parts.length && parts.every((part) => part !== undefined) ? parts.reduce((sum, part) => sum + part, 0) : null;
}

/** What became of the loss, beside what was foretold. @param {Retrained} answer @param {number|null} byWalk */
function foretold(answer, byWalk) {
  const {before, after} = answer, {influence = null, proponents = null} = answer.foretold ?? {};
  /** @type {Array<[string, number|null]>} */
  const rows = [['really', /** @type {number} */ (after.loss) - /** @type {number} */ (before.loss)],
    ['foretold by walking back', byWalk], [`foretold by “${rankOf('influence')?.label}”`, influence], [`foretold by “${rankOf('proponents')?.label}”`, proponents]];
  const most = Math.max(...rows.map(([, value]) => Math.abs(value ?? 0)));
  return h('table.foretold', {}, h('caption.hidden', {}, 'What the loss changed by, and what was foretold'),
    h('tbody', {}, rows.filter(([, value]) => value !== null).map(([name, value], i) => h(i ? 'tr' : 'tr.said', {}, h('th', {scope: 'row'}, name),
      bar(/** @type {number} */ (value), most), h('td.number', {'data-value': value}, signed(/** @type {number} */ (value)))))));
}

/** @param {Manner} manner @param {Retrained} answer @param {number} was predicted @param {number} now */
function outputs(manner, answer, was, now) {
  const {before, after} = answer, all = (before.logits ?? []).map((_, output) => output);
  const told = manner.outputs && [...new Set([...manner.outputs, was, now])].filter((output) => output in all);
  return h('table.before-after', {},
    h('caption.hidden', {}, 'Probabilities and logits of the network and of the one that was trained without them'),
    h('thead', {}, h('tr', {}, [manner.outputs ? 'Next' : 'Class', 'probability', 'without', 'logit', 'without'].map((name, i) =>
      h(i ? 'th.number' : 'th', {scope: 'col'}, name)))),
    h('tbody', {}, (told ?? all).map((output) => h('tr', {className: [output === was ? 'said' : '', output === now ? 'says-now' : ''].join(' ').trim()},
      h('th', {scope: 'row'}, manner.output(output)),
      h('td.number', {}, percent(before.probabilities?.[output] ?? NaN)), h('td.number.without', {}, percent(after.probabilities?.[output] ?? NaN)),
      h('td.number', {}, fixed(before.logits?.[output] ?? NaN, 2)), h('td.number', {}, fixed(after.logits?.[output] ?? NaN, 2))))));
}

/** The largest of some. @param {number[]} values */
function largest(values) {
  return values.indexOf(Math.max(...values));
}

/** What became of the test split. @param {Retrained} answer */
export function testSplit({before, after}) {
  return before.test_accuracy === null || after.test_accuracy === null ? null : `Test accuracy ${percent(before.test_accuracy, 2)}, then ` +
    `${percent(after.test_accuracy, 2)}; test loss ${short(before.test_loss ?? 0)}, then ${short(after.test_loss ?? 0)}.`;
}

/** @param {Run} run @param {Manner} manner @param {Retrained} answer @param {number|null} byWalk */
function result(run, manner, answer, byWalk) {
  const lost = /** @type {number} */ (answer.after.loss) - /** @type {number} */ (answer.before.loss), hasLogits = answer.before.logits !== undefined;
  const was = hasLogits ? largest(answer.before.logits ?? []) : manner.predicted, now = hasLogits ? largest(answer.after.logits ?? []) : was;
  const says = !hasLogits ? [] : [was === now ? 'it still says ' : 'it says ', h('strong', {}, manner.output(now)), was === now ? '.' : `, not ${manner.output(was)}.`];
  return h('div.without-result', {}, h('div', {},
    h('p.verdict', {}, `Without ${count(answer.without)} of ${count(answer.of)} training ${noun(run)}s `, ...says,
      h(hasLogits ? 'span.soft' : 'span', {}, `${hasLogits ? 'Its' : 'its'} loss for ${manner.output(answer.target ?? was)} ${lost < 0 ? 'fell' : 'rose'} from ${short(answer.before.loss ?? 0)} to ${short(answer.after.loss ?? 0)}.`)),
    foretold(answer, byWalk), h('p.soft', {}, testSplit(answer))), hasLogits ? outputs(manner, answer, was, now) : null);
}

/** @param {Visit} visit @param {Manner} manner */
export function showRetrained({run, state, actions, signal}, manner) {
  const section = byId('retrained');
  if (state.without === null || !canRetrain(run, state)) {
    redraw(section);
    return;
  }
  /** @type {Retrained|null} */
  let known = null;
  const place = h('div', {id: 'retrained-job'}), words = retrainWords(run, state);
  const save = csvButton(`retrained-${words.sample.replaceAll('/', '-')}`, 'the logits before and after', ['class', 'probability', 'probability_without', 'logit', 'logit_without'],
    () => (known?.before.logits ?? []).map((logit, output) => [manner.output(output), known?.before.probabilities?.[output],
      known?.after.probabilities?.[output], logit, known?.after.logits?.[output]]));
  save.hidden = true;
  redraw(section,
    h('div.head', {}, h('h2', {id: 'retrained-title'}, 'Trained again without them'), save,
      h('button.quiet', {type: 'button', id: 'retrained-close', 'aria-label': 'Close what was trained again', onclick: () => actions.choose({without: null, among: 'influence'})}, '\u00d7')),
    h('p.soft', {}, `Without ${names(run, state, manner) || 'nobody'}: from the same initial weights, with the same minibatches, in which they weigh nothing.`), place);
  void followJob(place, {id: 'retrained', run: run.id, kind: 'retrain', words, signal, label: 'Train again', doing: 'Training again…',
    takes: (seconds) => takes(run, seconds), show: (answer) => {
      known = answer;
      save.hidden = !answer.before.logits;
      const shown = h('div', {}, result(run, manner, answer, null));
      void walked(run, state, signal).then((byWalk) => {
        if (byWalk !== null) shown.replaceChildren(result(run, manner, answer, byWalk));
      }, () => {}); // without it the rest is true
      return [shown];
    }});
}
