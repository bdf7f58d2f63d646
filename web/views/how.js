// How it works, told with the live run: initial guess + contributions = logit, pattern by pattern; large enough for a wall.

import {askAll, getSample} from '../api.js';
import {byId, choice, h, redraw} from '../dom.js';
import {biasOf, className, count, fixed, nameOf, noun, outputName, percent, precise, scientific, short, signed, whyNotDual} from '../format.js';
import {depict} from '../depict.js';
import {BUILT_MAX} from '../state.js';
import {picture} from './answer.js';

/** @import {Answer, Run, TextAnswer, Visit} from '../types.js' */

/**
 * @typedef {object} Added what one pattern adds to the logit
 * @property {Node} shown
 * @property {string} name
 * @property {number} attention
 * @property {number} contribution
 * @property {number} step
 *
 * @typedef {object} Story
 * @property {string} said
 * @property {number} guess
 * @property {number} logit
 * @property {number} patterns
 * @property {number|null} error how far dual and primal differ, at most
 * @property {Added[]} added those that add most, best first
 * @property {Node} subject
 * @property {string} what one pattern is
 * @property {0|1} bias what it adds to attention
 * @property {string} lacks what the sum of the patterns that are here lacks, or an empty text
 * @property {boolean} isAdaptive whether a step weighs every weight by itself, as Adam's do
 */

const ABSENT = 'what the missing shards added';

const isAdaptive = (/** @type {Run} */ run) => /^adam/.test(String(run.training.optimiser));

/** @param {Visit} visit @returns {Promise<Story>} */
async function storyOfImage({run, state, signal}) {
  const question = {...state, rank: 'logit', by: /** @type {const} */ ('pattern'), layer: null, place: null, class: null, k: BUILT_MAX, remove: null};
  const [answer, sample] = await Promise.all([/** @type {Promise<Answer>} */ (askAll(['answer', 'spotlight'], question, null, signal)), getSample(run.id, /** @type {number} */ (state.sample), signal)]);
  const said = answer.predicted;
  return {said: outputName(run, said), guess: answer.initial_guess[said], logit: answer.logits[said], patterns: run.patterns, error: answer.history_share ? null : answer.exactness?.max_abs_error ?? null,
    subject: picture(run, sample), what: `a training ${noun(run)}, shown once`, lacks: answer.history_share ? ABSENT : '', bias: biasOf(run), isAdaptive: isAdaptive(run),
    added: answer.spotlight.map((lit) => ({shown: depict(run.id, lit.sample, 4), name: className(run, lit.sample.dataset, lit.sample.label),
      attention: lit.attention, contribution: lit.contribution, step: lit.step}))};
}

/** @param {Visit} visit @returns {Promise<Story>} */
async function storyOfText({run, state, signal}) {
  const question = {...state, rank: 'logit', by: /** @type {const} */ ('pattern'), layer: null, place: null, class: null, k: BUILT_MAX, remove: null};
  const [{marked, named}, {textOf}] = await Promise.all([import('../text/tokens.js'), import('../text/answer.js')]);
  const answer = /** @type {TextAnswer} */ (await askAll(['answer', 'spotlight'], question, null, signal, true)), {texts, place} = answer.subject;
  const next = answer.next.find(({token}) => token === answer.predicted) ?? answer.next[0];
  const added = answer.passages.flatMap((passage) => passage.places.map((lit) => ({
    shown: h('blockquote', {}, ...marked(passage.texts.slice(Math.max(0, lit.offset - 30), lit.offset + 3), new Map([[Math.min(30, lit.offset), {className: 'lit', style: {'--light': '1'}}],
      [Math.min(30, lit.offset) + 1, {className: 'follows'}]]))),
    name: passage.document.name, attention: lit.attention, contribution: lit.contribution ?? 0, step: lit.step}))).sort((a, b) => b.contribution - a.contribution).slice(0, BUILT_MAX);
  return {said: named(textOf(answer, answer.predicted)), guess: next.initial_guess ?? 0, logit: next.logit, patterns: run.patterns, error: answer.history_share ? null : answer.exactness.max_abs_error ?? null, added,
    subject: h('blockquote.subject.words', {}, ...marked(texts.slice(Math.max(0, place - 60), place + 1), new Map([[Math.min(60, place), {className: 'asked'}]]))),
    what: 'a position of the training text, shown once', lacks: answer.history_share ? ABSENT : answer.exactness.left_out === 0 ? '' : 'what was not recorded', bias: biasOf(run), isAdaptive: isAdaptive(run)};
}

/** A formula, in words for who does not see it. @param {string} label @param {...(Node|string)} parts */
function formula(label, ...parts) {
  return h('p.formula', {role: 'math', 'aria-label': label}, ...parts);
}

const sub = (/** @type {string} */ text) => h('sub', {}, text);
const variable = (/** @type {string} */ text) => h('i', {}, text);

/** Where a number lies on the scale of the sum. @param {number} value @param {number} low @param {number} high */
function left(value, low, high) {
  return 100 * (value - low) / (high - low);
}

/** A line of the sum: what comes on, and what it is by then. @param {Node|string} what @param {Node|string} how @param {number} from @param {number} to
 *  @param {{low: number, high: number}} scale @param {string} kind */
function line(what, how, from, to, {low, high}, kind) {
  const [begin, end] = [Math.min(from, to), Math.max(from, to)];
  return h(`tr.${kind}`, {}, h('th', {scope: 'row'}, what), h('td', {}, how),
    h('td.scale', {'aria-hidden': 'true', style: {'--zero': `${left(0, low, high)}%`}}, h(`i.${kind === 'guess' ? 'guess' : to < from ? 'minus' : 'plus'}`,
      {style: {left: `${left(begin, low, high)}%`, width: `max(2px, ${left(end, low, high) - left(begin, low, high)}%)`}})),
    h('td.number', {}, kind === 'guess' ? fixed(to, 2) : signed(to - from)), h('td.number.sum', {'data-value': to}, fixed(to, 2)));
}

/** The sum as far as it is built. @param {Story} story @param {number} built */
function sum(story, built) {
  const {guess, logit, added, patterns} = story;
  let now = guess;
  const sums = [0, guess, logit, ...added.map(({contribution}) => now += contribution)], scale = {low: Math.min(...sums), high: Math.max(...sums)};
  now = guess;
  const rows = [line('initial guess', 'what the untrained last layer says of it', 0, guess, scale, 'guess')];
  for (const one of added.slice(0, built)) {
    rows.push(line(h('span.pattern', {}, one.shown, h('span', {}, one.name, h('span.soft', {}, ` at step ${count(one.step)}`))),
      h('span', {}, story.isAdaptive ? `attention ${short(one.attention)}, weighed` : `${precise(one.attention + story.bias)} × ${one.attention + story.bias === 0 ? 0 : precise(one.contribution / (one.attention + story.bias))}`), now, now + one.contribution, scale, 'added'));
    now += one.contribution;
  }
  if (built > added.length) rows.push(line(`the other ${count(patterns - added.length)} patterns`, `each in the same way${story.lacks && `, and ${story.lacks}`}`, now, logit, scale, 'others'));
  const done = built > added.length;
  return h('table.sum', {}, h('caption.hidden', {}, 'The logit as a sum'),
    h('thead', {}, h('tr', {}, ['', story.isAdaptive ? 'what it looked like, and taught' : story.bias ? '(attention + 1) × what it taught' : 'attention × what it taught', '', 'adds', 'so far'].map((name, i) => name ? h(i > 2 ? 'th.number' : 'th', {scope: 'col'}, name) : h('td')))),
    h('tbody', {}, rows),
    done ? h('tfoot', {}, h('tr', {}, h('th', {scope: 'row', colSpan: 4}, `= the logit of ${story.said}${story.error === null ? '' : `; the network itself computes the same within ${scientific(story.error)}`}`),
      h('td.number', {id: 'how-logit', 'data-value': logit}, fixed(logit, 2)))) : null);
}

/** Back and forth through the sum. @param {Story} story @param {number} built @param {(built: number) => void} go */
function steps({added}, built, go) {
  const last = added.length + 1;
  return h('div.steps', {onkeydown: (/** @type {KeyboardEvent} */ {key, altKey, ctrlKey, metaKey}) => {
    if (altKey || ctrlKey || metaKey) return;
    if (key === 'ArrowRight' && built < last) go(built + 1);
    if (key === 'ArrowLeft' && built > 0) go(built - 1);
  }}, h('button', {type: 'button', id: 'how-back', disabled: built === 0, onclick: () => go(built - 1)}, '‹ back'),
    h('button.primary', {type: 'button', id: 'how-next', disabled: built === last, onclick: () => go(built + 1)}, built < added.length ? 'next pattern ›' : 'all others ›'),
    choice([{value: '0', text: 'guess only'}, {value: String(last), text: 'the whole sum'}], String(built), 'Sum', (value) => go(Number(value))));
}

/** The story that was told last: every step of it is one more look at the same. @type {{key: string, story: Story|null}} */
const told = {key: '', story: null};

/** @param {Visit} visit @returns {Promise<Story>} */
async function storyOf(visit) {
  const {run, state: {sample, text, place}} = visit, key = JSON.stringify([run.id, run.unfinished?.version, sample, text, place]);
  if (told.key !== key || told.story === null) Object.assign(told, {story: await (run.kind === 'text' ? storyOfText(visit) : storyOfImage(visit)), key});
  return /** @type {Story} */ (told.story);
}

/** The sum as a formula, and its words. @param {Run} run @param {Story} story */
function statement(run, story) {
  const left = run.initial_share !== undefined && run.initial_share < 1 ? ` Weight decay has left ${percent(run.initial_share, 1)} of it.` : '';
  /** @type {[string, string][]} */
  const words = [['w₀·x', `the initial guess: the untrained layer’s weights${story.bias ? ' (and its bias)' : ''} and what this ${noun(run)} looks like to the layer, its key x.${left}`]];
  if (story.isAdaptive)
    words.push(['xₜ ⊙ x', `what both look like, input by input: pattern t is ${story.what}; summed without weights it is the attention`],
      ['Cₜ', 'Adam’s step, which has a size of its own for every weight: so the inputs count differently, by what the weight had seen before'],
      ['δₜ', 'what it taught: the error signal of then, how the logit was to change']);
  else
    words.push(['xₜ·x', `attention: how alike pattern t (${story.what}) looked to the layer${story.bias ? '; the 1 is the bias' : ''}`],
      ['cₜ δₜ', 'what it taught: the error signal of then, how the logit was to change, times what that step still weighs']);
  const guess = ['logit = ', variable('w'), sub('0'), '·', variable('x'), ' + ', h('span.big', {}, 'Σ'), sub('t'), ' '];
  return h('div.statement', {},
    h('p', {}, 'A linear layer that was trained by gradient descent is its initial weights, plus one small correction for every pattern that it was shown. ' +
      'So what it says is a sum over everything it has seen:'),
    story.isAdaptive ? formula('logit equals initial guess plus the sum over all patterns t of the products of its inputs, weighed by its step, times what t taught',
      ...guess, variable('C'), sub('t'), '·(', variable('x'), sub('t'), ' ⊙ ', variable('x'), ') × ', variable('δ'), sub('t')) :
      formula('logit equals initial guess plus the sum over all patterns t of attention of t times what t taught',
        ...guess, '(', variable('x'), sub('t'), '·', variable('x'), story.bias ? ' + 1) × ' : ') × ', variable('c'), sub('t'), ' ', variable('δ'), sub('t')),
    h('dl.words', {}, words.map(([term, text]) => [h('dt', {}, term), h('dd', {}, text)]).flat()));
}

/** @param {Visit} visit */
export async function renderHow(visit) {
  const {run, state, actions, signal, ready} = visit, section = byId('how');
  const head = h('div.head', {}, h('h2', {id: 'how-title'}, 'How it works'), h('button', {type: 'button', id: 'how-close', onclick: () => actions.choose({view: 'query', built: 0})}, 'To the answer ›'));
  if (!run.dual) {
    document.title = `how it works · ${run.name} · keylight`;
    redraw(section, head, h('p', {}, `Of this run only attention can be told (${whyNotDual(run)}), and the sum that this page builds needs contributions. Choose another run.`));
    ready('how');
    return;
  }
  const story = await storyOf(visit);
  if (signal.aborted) return;
  document.title = `how it works · ${run.name} · keylight`;
  const built = Math.min(state.built, story.added.length + 1), go = (/** @type {number} */ next) => actions.choose({built: next});
  const isStepping = section.querySelector('.steps')?.contains(document.activeElement);
  redraw(section, head,
    h('div.lecture', {},
      statement(run, story),
      h('figure', {}, story.subject, h('figcaption', {}, nameOf(run, /** @type {number} */ (state.sample)), h('br'), 'It says ', h('strong', {}, story.said), '. Why?'))),
    steps(story, built, go), sum(story, built),
    built > story.added.length ? h('p.soft', {}, `The ${story.added.length} patterns that add most add ${signed(story.added.reduce((total, {contribution}) => total + contribution, 0))}, ` +
      `${percent(story.added.length / story.patterns, 3)} of all patterns. ${story.lacks ? '' : 'Nothing is left out: the sum is the network.'}`) :
      h('p.soft', {}, `${built} of the ${story.added.length} patterns that add most; then the others together.`));
  if (built > 0) [...section.querySelectorAll('table.sum tr')].at(-1)?.scrollIntoView({block: 'nearest'}); // what came on last
  if (isStepping && !section.contains(document.activeElement)) /** @type {HTMLElement|null} */ (section.querySelector('.steps button:not(:disabled)'))?.focus(); // at an end
  ready('how');
}
