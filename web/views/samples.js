// The gallery: filters, an order, and as many thumbnails as can be seen of however many there are.

import {listSamples, lookErrand, sheetUrl} from '../api.js';
import {className, count, noun, nounOfOne, outputName, sampleName} from '../format.js';
import {byId, h, redraw, select} from '../dom.js';
import {followJob} from '../jobs.js';
import {canAsk, sampleExists, sampleNamed} from '../state.js';
import {words} from '../words.js';
import {openConfusion} from './confusion.js';
import {notify} from './notices.js';

/** @import {Run, Sample} from '../types.js' */
/** @import {State} from '../state.js' */
/** @import {Actions} from '../types.js' */

const PAGE = 96; // samples of a request and of a sheet of thumbnails
const COLUMNS = 8; // of a sheet, not of the gallery
const PAGES_KEPT = 24;
const BEYOND = 3; // rows drawn above and below what is seen
const PAUSE_MS = 60; // while it scrolls on, nothing is asked for

const FILTERS = /** @type {const} */ (['split', 'dataset', 'correct', 'vote', 'label', 'predicted', 'name', 'sort']);

/** What the gallery can be ordered by: docs/api.md. */
const ORDERS = [{value: 'stored', text: 'as stored'}, {value: 'least-sure', text: 'least sure first'},
  {value: 'most-sure', text: 'most sure first'}, {value: 'loss', text: 'largest loss first'}, {value: 'margin', text: 'smallest margin first'}];

export class Gallery {
  /** @param {HTMLElement} filters @param {HTMLElement} grid @param {Actions} actions */
  constructor(filters, grid, actions) {
    this.filters = filters;
    this.place = grid;
    this.actions = actions;
    this.key = '';
    this.total = 0;
    /** Pages by their number, the longest unused first. @type {Map<number, Sample[]|'asked'>} */
    this.pages = new Map();
    /** What is drawn, by position. @type {Map<number, HTMLElement>} */
    this.drawn = new Map();
    this.pending = new AbortController();
    /** @type {number|undefined} */
    this.frame = undefined;
    /** @type {ReturnType<typeof setTimeout>|undefined} */
    this.timer = undefined;
    this.columns = 1;
    this.row = 1; // pixels, with the gap
    this.grid = h('div.grid', {role: 'group', 'aria-label': 'Samples; arrow keys move',
      onkeydown: (/** @type {KeyboardEvent} */ event) => this.move(event)});
    this.room = h('div.room', {}, this.grid);
    this.end = h('p.empty', {'aria-live': 'polite'});
    this.place.append(this.room, this.end);
    this.place.addEventListener('scroll', () => this.scrolled(), {passive: true});
    new ResizeObserver(() => this.measure()).observe(this.place);
  }

  /** @param {Run} run @param {State} state */
  show(run, state) {
    /** @type {Record<string, string|number|null>} */
    const filter = Object.fromEntries(FILTERS.map((name) => [name, state[name]]));
    const key = JSON.stringify([run.id, filter]), isNew = key !== this.key, moved = isNew || state.sample !== this.state?.sample;
    this.run = run;
    this.state = state;
    if (isNew) {
      this.key = key;
      this.filter = filter;
      this.pending.abort();
      this.pending = new AbortController();
      this.pages.clear();
      this.clear();
      this.place.scrollTo(0, 0);
    }
    this.showFilters(run, state);
    if (isNew || moved) void this.find(state.sample);
  }

  /** Asks where a sample is, shows it, and marks it. @param {number|null} sample */
  async find(sample) {
    const {signal} = this.pending, run = /** @type {Run} */ (this.run);
    const known = sample === null ? null : this.positionOf(sample);
    if (known !== null) {
      this.reveal(known);
      return;
    }
    if (!this.pages.size) this.end.textContent = 'Loading…';
    try {
      if (this.state?.vote && (await lookErrand(run.id, 'votes', {}, signal)).state !== 'done') {
        if (!signal.aborted) this.countVotes(() => void this.find(sample));
        return;
      }
      const page = await listSamples(run.id, {...this.filter, ...(sample === null ? {} : {at: sample}), offset: 0}, PAGE, null, signal);
      if (signal.aborted) return;
      this.keep(0, page.samples);
      this.total = page.total;
      byId('total').textContent = count(page.total);
      this.end.textContent = page.total > 0 ? '' : this.state?.name ? `No sample matches: none that the filters leave has “${this.state.name}” in its file’s name or description, and it is no number.` :
        'No sample matches: take a filter away.';
      this.measure();
      if (typeof page.position === 'number') this.reveal(page.position);
      this.draw();
    } catch (error) {
      if (!signal.aborted) this.fail(/** @type {Error} */ (error), () => void this.find(sample));
    }
  }

  /** @param {Error} error @param {() => void} again */
  fail(error, again) {
    this.end.replaceChildren(String(error.message), ' ', h('button', {type: 'button', onclick: again}, 'Try again'));
  }

  /** What the votes are, nobody knows yet: a job counts them. @param {() => void} again */
  countVotes(again) {
    const run = /** @type {Run} */ (this.run), place = h('div.votes', {});
    this.total = 0;
    this.measure();
    byId('total').textContent = '';
    this.end.replaceChildren(place);
    void followJob(place, {id: 'votes', run: run.id, kind: 'votes', words: {}, signal: this.pending.signal, label: 'Count the votes', doing: 'Asking all of them\u2026',
      takes: () => `The vote is the class that most |attention| in the last layer is on. Whether it is the answer is counted once, for every ${noun(run)} that the network was not trained on.`,
      show: () => {
        again();
        return [];
      }});
  }

  /** Empties it for a run of another kind. */
  forget() {
    this.pending.abort();
    this.run = undefined;
    this.key = '';
    this.clear();
    this.place.replaceChildren(this.room, this.end);
  }

  clear() {
    this.grid.replaceChildren();
    this.drawn.clear();
  }

  /** @param {number} number @param {Sample[]|'asked'} samples */
  keep(number, samples) {
    this.pages.delete(number);
    this.pages.set(number, samples);
    for (const old of this.pages.keys()) {
      if (this.pages.size <= PAGES_KEPT) break;
      this.pages.delete(old);
    }
  }

  /** @param {number} position @returns {Sample|undefined} if it is known */
  at(position) {
    const page = this.pages.get(Math.floor(position / PAGE));
    return Array.isArray(page) ? page[position % PAGE] : undefined;
  }

  /** @param {number} sample @returns {number|null} if it is known */
  positionOf(sample) {
    for (const [number, page] of this.pages) {
      const at = Array.isArray(page) ? page.findIndex(({id}) => id === sample) : -1;
      if (at >= 0) return number * PAGE + at;
    }
    return null;
  }

  /** The sample before or after: in the gallery, or by id for one that is not in it; null: none.
   *  @param {number} sample @param {-1|1} direction @returns {Promise<number|null>} */
  async neighbour(sample, direction) {
    const run = this.run, {signal} = this.pending;
    if (!run) return null;
    let at = this.positionOf(sample);
    if (at === null) at = (await listSamples(run.id, {...this.filter, at: sample}, 1, null, signal)).position ?? null;
    if (at === null) return sampleExists(run, sample + direction) ? sample + direction : null;
    const next = at + direction;
    if (next < 0 || next >= this.total) return null;
    await this.load(Math.floor(next / PAGE));
    return this.at(next)?.id ?? null;
  }

  /** Loads a page, unless it is there or on its way. @param {number} number */
  async load(number) {
    if (this.pages.has(number) || !this.run) return;
    const {signal} = this.pending, run = this.run;
    this.keep(number, 'asked');
    try {
      const page = await listSamples(run.id, {...this.filter, offset: number * PAGE}, PAGE, null, signal);
      if (signal.aborted) return;
      this.keep(number, page.samples);
      this.draw();
    } catch (error) {
      if (signal.aborted) return;
      this.pages.delete(number);
      this.fail(/** @type {Error} */ (error), () => void this.load(number));
    }
  }

  /** How large a thumbnail is, and so how high all of them are. */
  measure() {
    if (!this.run) return;
    const [dataset] = this.run.datasets, isDescribed = this.run.kind === 'described', style = getComputedStyle(this.grid);
    const gap = parseFloat(style.rowGap) || 0, width = this.grid.clientWidth;
    if (!width) return;
    this.columns = isDescribed ? 1 : Math.max(1, Math.floor((width + gap) / (parseFloat(style.getPropertyValue('--thumb')) + gap)));
    const side = (width - gap * (this.columns - 1)) / this.columns;
    this.row = (isDescribed ? parseFloat(style.getPropertyValue('--lines')) : side * dataset.height / dataset.width) + gap;
    this.grid.style.setProperty('--columns', String(this.columns));
    this.grid.style.setProperty('--height', `${this.row - gap}px`);
    this.room.style.height = `${Math.max(0, Math.ceil(this.total / this.columns) * this.row - gap)}px`;
    this.draw();
  }

  scrolled() {
    this.frame ??= requestAnimationFrame(() => {
      this.frame = undefined;
      this.draw();
    });
  }

  /** Brings a position into sight, if it is not. @param {number} position */
  reveal(position) {
    const top = Math.floor(position / this.columns) * this.row, {scrollTop, clientHeight} = this.place;
    if (top < scrollTop || top + this.row > scrollTop + clientHeight) this.place.scrollTo(0, Math.max(0, top - clientHeight / 3));
    this.draw();
  }

  /** Draws what is in sight and a little beyond; what is drawn already stays. */
  draw() {
    if (!this.run || !this.total) {
      this.clear();
      return;
    }
    const {scrollTop, clientHeight} = this.place;
    const first = Math.max(0, Math.floor(scrollTop / this.row) - BEYOND) * this.columns;
    const last = Math.min(this.total, (Math.ceil((scrollTop + clientHeight) / this.row) + BEYOND) * this.columns);
    this.grid.style.transform = `translateY(${first / this.columns * this.row}px)`;
    const focused = document.activeElement instanceof HTMLElement && this.grid.contains(document.activeElement) ? document.activeElement.dataset.position : undefined;
    /** @type {Map<number, HTMLElement>} */
    const next = new Map();
    for (let position = first; position < last; position++) {
      const old = this.drawn.get(position), sample = this.at(position);
      next.set(position, old && (!sample || old.dataset.sample) ? old : this.thumb(this.run, position, sample));
    }
    this.drawn = next;
    this.grid.replaceChildren(...next.values());
    if (focused !== undefined) next.get(Number(focused))?.focus({preventScroll: true});
    this.mark();
    clearTimeout(this.timer);
    this.timer = setTimeout(() => {
      for (let number = Math.floor(first / PAGE); number * PAGE < last; number++) void this.load(number);
    }, this.pages.size > 1 ? PAUSE_MS : 0);
  }

  /** What is shown of a sample: a piece of its page's sheet, or words.
   *  @param {Run} run @param {number} position @param {Sample} sample */
  shown(run, position, sample) {
    if (run.kind === 'described') return words(sample.description ?? '');
    const page = /** @type {Sample[]} */ (this.pages.get(Math.floor(position / PAGE))), i = position % PAGE;
    const columns = Math.min(COLUMNS, page.length), rows = Math.ceil(page.length / columns);
    const url = sheetUrl(run.id, page.map(({id}) => id), columns, run.datasets[0].width <= 64 ? 2 : 1);
    const x = columns > 1 ? 100 * (i % columns) / (columns - 1) : 0, y = rows > 1 ? 100 * Math.floor(i / columns) / (rows - 1) : 0;
    return h('span.pixels', {style: {'background-image': `url("${url}")`,
      'background-size': `${100 * columns}% ${100 * rows}%`, 'background-position': `${x}% ${y}%`}});
  }

  /** @param {Run} run @param {number} position @param {Sample|undefined} sample undefined: it is on its way */
  thumb(run, position, sample) {
    if (!sample) return h('span.thumb.coming', {'data-position': position});
    const label = className(run, sample.dataset, sample.label);
    const title = `${label}, ${sampleName(sample)}, ` + (sample.correct ? 'called so' :
      `called ${outputName(run, sample.predicted)}`) + (sample.path ? `, ${sample.path}` : '');
    return h(`button.thumb${sample.correct ? '' : '.wrong'}`, {type: 'button', title,
      'aria-label': `${title}; ${count(position + 1)} of ${count(this.total)}`, 'data-sample': sample.id, 'data-position': position, tabIndex: -1,
      // A finger that goes down may be about to scroll.
      onpointerdown: (/** @type {PointerEvent} */ {button, pointerType}) => button === 0 && pointerType !== 'touch' && this.actions.press(sample.id),
      onclick: () => this.actions.explain(sample.id)}, this.shown(run, position, sample));
  }

  /** Marks the sample that is explained; it, or the first in sight, is where the Tab key arrives. */
  mark() {
    let reachable = null;
    for (const thumb of /** @type {Iterable<HTMLElement>} */ (this.grid.children)) {
      const chosen = this.state?.sample !== null && Number(thumb.dataset.sample) === this.state?.sample;
      thumb.tabIndex = -1;
      if (chosen) thumb.setAttribute('aria-current', 'true');
      else thumb.removeAttribute('aria-current');
      if (chosen) reachable = thumb;
    }
    reachable ??= /** @type {HTMLElement|null} */ (this.grid.querySelector('button'));
    if (reachable) reachable.tabIndex = 0;
  }

  /** @param {KeyboardEvent} event */
  async move(event) {
    const at = Number(/** @type {HTMLElement} */ (document.activeElement).dataset.position);
    const screen = Math.max(1, Math.floor(this.place.clientHeight / this.row)) * this.columns;
    const to = {ArrowLeft: at - 1, ArrowRight: at + 1, ArrowUp: at - this.columns, ArrowDown: at + this.columns,
      PageUp: at - screen, PageDown: at + screen, Home: 0, End: this.total - 1}[event.key];
    if (to === undefined || Number.isNaN(at)) return;
    event.preventDefault();
    const target = Math.max(0, Math.min(this.total - 1, to));
    await this.load(Math.floor(target / PAGE));
    this.reveal(target);
    const thumb = this.drawn.get(target);
    if (!thumb) return;
    for (const other of this.drawn.values()) other.tabIndex = -1;
    thumb.tabIndex = 0;
    thumb.focus({preventScroll: true});
  }

  /** @param {Run} run @param {State} state */
  showFilters(run, state) {
    const classes = Array.from({length: run.layers[run.layers.length - 1].outputs},
      (_, label) => ({value: String(label), text: outputName(run, label)}));
    // Labels count within a data set: they have names of one, or of outputs that all data sets share.
    const named = run.datasets.find((dataset) => dataset.name === state.dataset) ??
      (run.datasets.length === 1 ? run.datasets[0] : null);
    const labels = named ? named.classes.map((text, label) => ({value: String(label), text})) :
      run.heads === 'shared' ? classes :
        Array.from({length: Math.max(...run.datasets.map((dataset) => dataset.classes.length))},
          (_, label) => ({value: String(label), text: `label ${label} of any`}));
    const any = (/** @type {string} */ text) => ({value: '', text});
    /** @param {string} name @param {string} label @param {Array<{value: string, text: string}>} options @param {string} [usual] */
    const filter = (name, label, options, usual) => {
      const value = /** @type {any} */ (state)[name];
      const element = select(options, String(value ?? ''), label, (text) => {
        const typed = name === 'label' || name === 'predicted' ? Number(text) : text;
        this.actions.choose({[name]: text === '' ? null : typed});
      });
      element.id = `filter-${name}`;
      if (value !== null && value !== usual) element.classList.add('chosen');
      return element;
    };
    redraw(this.filters,
      filter('split', 'Split', [{value: 'test', text: 'test'},
        ...(run.datasets.some((dataset) => dataset.splits.validation.samples) ?
          [{value: 'validation', text: 'validation'}] : []), {value: 'train', text: 'train'}], 'test'),
      this.judgement(state),
      run.datasets.length > 1 ? filter('dataset', 'Data set', [any('all data sets'),
        ...run.datasets.map((dataset) => ({value: dataset.name, text: dataset.name}))]) : '',
      filter('label', 'Label', [any('any label'), ...labels]),
      filter('predicted', 'Called', [any('called any'),
        ...classes.map(({value, text}) => ({value, text: `called ${text}`}))]),
      filter('sort', 'Order', ORDERS, 'stored'),
      h('button', {type: 'button', id: 'confusion', onclick: () => void openConfusion(run, state, this.actions)}, 'Confusions'));
    redraw(byId('jump-to'), this.jump(run, state));
  }

  /** Right or wrong, by the label or by the vote. @param {State} state */
  judgement(state) {
    const {correct, vote} = state, element = select([{value: '', text: 'right or wrong'}, {value: 'correct=false', text: 'wrong'}, {value: 'correct=true', text: 'right'},
      {value: 'vote=differs', text: 'vote differs'}, {value: 'vote=agrees', text: 'vote agrees'}],
    vote !== null ? `vote=${vote}` : correct !== null ? `correct=${correct}` : '', 'Right or wrong', (text) => {
      const [name, value] = text.split('=');
      this.actions.choose(/** @type {any} */ ({correct: null, vote: null, ...(name && {[name]: value})}));
    });
    element.id = 'filter-correct';
    if (correct !== null || vote !== null) element.classList.add('chosen');
    return element;
  }

  /** Finds by number, or by a piece of the file's name. @param {Run} run @param {State} state */
  jump(run, state) {
    const dataset = run.datasets.find((d) => d.name === state.dataset) ?? run.datasets[0];
    const {first_sample: first, samples} = dataset.splits[state.split];
    const input = h('input', {type: 'search', id: 'jump', value: state.name ?? '', placeholder: 'find', title: 'a number, or a piece of a file’s name or description', autocomplete: 'off', spellcheck: false,
      'aria-label': `Find ${nounOfOne(run)} of the ${state.split} split by its number, 0 to ${samples - 1}, or all by a piece of the file’s name or description`,
      onsearch: () => input.value === '' && state.name !== null && this.actions.choose({name: null})});
    return h('form.jump', {role: 'search', onsubmit: (/** @type {Event} */ event) => {
      event.preventDefault();
      const text = input.value.trim(), named = text.includes('/') ? sampleNamed(run, text) : undefined;
      const to = (/** @type {number} */ sample) => {
        if (state.name === null || !canAsk(run, sample)) this.actions.explain(sample);
        else this.actions.choose({name: null, sample, pixels: null, as: null, text: null, place: null, view: 'query'});
      };
      if (named !== undefined) to(named);
      else if (/^#?\d+$/.test(text)) {
        const number = Number(text.replace('#', ''));
        if (number < samples) to(first + number);
        else notify(`The ${state.split} split has samples 0 to ${count(samples - 1)}.`);
      } else this.actions.choose({name: text === '' ? null : text});
    }}, input, h('button.hidden', {type: 'submit'}, 'Find'));
  }
}
