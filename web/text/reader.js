// The text on the left: a page of the run's own, or what somebody typed; every token is a query.

import {listDocuments, readText} from '../api.js';
import {h, redraw} from '../dom.js';
import {count, fixed} from '../format.js';
import {visible, where} from './tokens.js';

/** @import {Actions, Reading, Run, TextDocument} from '../types.js' */
/** @import {State} from '../state.js' */

const PAGE = {characters: 900, words: 220, whitespace: 220};
const TYPED_MAX = 2000; // characters: an address has to hold them
const FULL_SURPRISE = 8; // bits, at which a token is shaded in full

/** The page that is shown, and of what. */
let shown = {run: '', text: /** @type {string|null} */ (null), first: -1, reading: /** @type {Reading|null} */ (null)};
let documents = {run: '', list: /** @type {TextDocument[]} */ ([])};

/** @param {Run} run */
function pageSize(run) {
  return PAGE[/** @type {{tokens: 'characters'}} */ (run.datasets[0].text).tokens];
}

/** Where the page begins that holds a position: pages of a split follow each other.
 *  @param {Run} run @param {number} sample */
function pageOf(run, sample) {
  const splits = Object.values(run.datasets[0].splits);
  const {first_sample: base} = splits.find(({first_sample: first, samples}) =>
    sample >= first && sample < first + samples) ?? splits[0];
  return base + Math.floor((sample - base) / pageSize(run)) * pageSize(run);
}

/** The number of tokens of what is typed, as far as it is shown; 0: it is not. @param {State} state */
export function typedLength(state) {
  return shown.reading && shown.text !== null && shown.text === state.text ? shown.reading.texts.length : 0;
}

/** @param {Run} run @param {State} state @param {AbortSignal} signal @returns {Promise<Reading>} */
export async function loadReading(run, state, signal) {
  const first = state.text === null ? pageOf(run, state.sample ?? 0) : -1;
  if (shown.reading && shown.run === run.id && shown.first === first && shown.text === state.text) return shown.reading;
  const reading = await readText(run.id, state.text === null ? {sample: first, count: pageSize(run)} : {text: state.text}, signal);
  shown = {run: run.id, text: state.text, first, reading};
  return reading;
}

/** @param {Run} run @param {State} state @param {Reading} reading @param {Actions} actions */
function page(run, state, reading, actions) {
  const chosen = reading.sample === null ? state.place ?? reading.texts.length - 1 : (state.sample ?? 0) - reading.sample;
  const choose = (/** @type {number} */ i) => {
    if (i < 0 || i >= reading.texts.length) {
      if (reading.sample !== null) actions.step(i < 0 ? -1 : 1);
    } else if (reading.sample === null) actions.choose({place: i === reading.texts.length - 1 ? null : i});
    else if (canAsk(i)) actions.explain(reading.sample + i);
  };
  /** Of a network that only its framework can run: the places that were recorded. @param {number} i */
  const canAsk = (i) => !reading.asked || reading.asked.includes(i);
  const tokens = reading.texts.map((text, i) => h(`span.token${i === chosen ? '.chosen' : ''}${!reading.asked ? '' : canAsk(i) ? '.asked' : '.silent'}`, {
    'data-i': i, 'aria-current': i === chosen ? 'true' : null,
    style: {'--surprise': Math.min(1, Math.max(0, (reading.bits[i] ?? 0) / FULL_SURPRISE)).toFixed(3)},
    title: reading.bits[i] === null ? visible(text) : `${visible(text)}  ${fixed(/** @type {number} */ (reading.bits[i]), 1)} bits; expected ${
      visible(reading.predicted[i] ?? '')}`}, text.includes('\n') ? `⏎${text}` : i === chosen && text === ' ' ? '␣' : text));
  return h('div.page', {tabIndex: 0, role: 'group', id: 'page',
    'aria-label': 'The text. Click a token, or use the arrow keys, to ask what follows it.',
    onclick: (/** @type {MouseEvent} */ event) => {
      const token = /** @type {HTMLElement} */ (event.target).closest('.token');
      if (token && !getSelection()?.toString()) choose(Number(/** @type {HTMLElement} */ (token).dataset.i));
    },
    onkeydown: (/** @type {KeyboardEvent} */ event) => {
      const step = {ArrowLeft: -1, ArrowRight: 1}[event.key];
      if (!step || event.altKey || event.ctrlKey || event.metaKey) return;
      event.preventDefault();
      if (reading.asked) actions.step(/** @type {-1|1} */ (step));
      else choose(chosen + step);
    }}, tokens);
}

/** @param {State} state @param {Actions} actions */
function typing(state, actions) {
  const area = h('textarea', {id: 'typed', rows: 3, maxLength: TYPED_MAX, value: state.text ?? '',
    placeholder: 'Type a text of your own…', 'aria-label': 'A text of your own'});
  const submit = () => {
    if (area.value) actions.choose({text: area.value, place: null, sample: null});
  };
  area.addEventListener('keydown', (/** @type {KeyboardEvent} */ event) => {
    if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) submit();
  });
  return h('form.typing', {onsubmit: (/** @type {Event} */ event) => {
    event.preventDefault();
    submit();
  }}, area, h('div.row', {}, h('button', {type: 'submit', id: 'read'}, 'What follows?'),
    state.text === null ? null : h('button.quiet', {type: 'button', id: 'own-text',
      onclick: () => actions.choose({text: null, place: null, sample: null})}, 'Back to the book')));
}

/** @param {Run} run @param {State} state @param {Actions} actions */
function contents(run, state, actions) {
  const {list} = documents;
  const current = list.filter((one) => state.sample !== null && state.sample >= one.sample).sort((a, b) => b.sample - a.sample)[0];
  const options = (/** @type {string} */ split) => list.filter((one) => one.split === split).map((one) =>
    h('option', {value: String(one.sample), selected: one === current && state.text === null},
      `${one.name.replace(/\.\w+$/, '').replaceAll('_', ' ')} (${count(one.tokens)})`));
  const element = h('select', {id: 'documents', 'aria-label': 'Document', onchange: () => actions.explain(Number(element.value))},
    state.text === null ? null : h('option', {value: '', selected: true}, 'documents…'),
    ['test', 'validation', 'train'].map((split) => {
      const own = options(split);
      return own.length ? h('optgroup', {label: split === 'train' ? 'trained on' : split}, own) : null;
    }));
  return element;
}

/** @param {Run} run @param {State} state @param {Actions} actions */
function turning(run, state, actions) {
  if (state.text !== null || state.sample === null) return null;
  const first = pageOf(run, state.sample), size = pageSize(run);
  const {first_sample: low, samples} = /** @type {{first_sample: number, samples: number}} */ (
    Object.values(run.datasets[0].splits).find(({first_sample, samples: n}) => first >= first_sample && first < first_sample + n));
  return h('span.turning', {},
    h('button', {type: 'button', id: 'page-back', disabled: first <= low, 'aria-label': 'Page before',
      onclick: () => actions.explain(Math.max(low, first - size))}, '‹'),
    h('button', {type: 'button', id: 'page-on', disabled: first + size >= low + samples, 'aria-label': 'Next page',
      onclick: () => actions.explain(first + size)}, '›'));
}

/** @param {HTMLElement} filters @param {HTMLElement} place @param {Run} run @param {State} state
 *  @param {Actions} actions @param {AbortSignal} signal */
export async function showReader(filters, place, run, state, actions, signal) {
  if (documents.run !== run.id) documents = {run: run.id, list: await listDocuments(run.id, signal)};
  const reading = await loadReading(run, state, signal);
  if (signal.aborted) return;
  redraw(filters, run.recorded ? h('p.soft', {}, 'This network was recorded: the places that are marked can be asked about. ‹ and › go from one to the next.') : typing(state, actions),
    h('div.row', {}, contents(run, state, actions), turning(run, state, actions)));
  redraw(place,
    h('p.soft', {}, reading.sample === null ? 'Your text' : where(/** @type {any} */ (reading)),
      run.recorded ? '' : ' · shaded by surprise'),
    page(run, state, reading, actions));
  /** @type {HTMLElement|null} */
  const chosen = place.querySelector('.chosen');
  if (!chosen) return;
  const box = chosen.getBoundingClientRect(), frame = place.getBoundingClientRect();
  if (box.top < frame.top || box.bottom > frame.bottom) place.scrollTop += box.top - frame.top - frame.height / 2;
}
