// The gallery: filters, and endless sheets of thumbnails that load as they come into sight.

import {listSamples, sheetUrl} from '../api.js';
import {className, count, outputName, sampleName} from '../format.js';
import {byId, h, redraw, select} from '../dom.js';
import {sampleExists} from '../state.js';
import {words} from '../words.js';

/** @import {Run, Sample} from '../types.js' */
/** @import {State} from '../state.js' */
/** @import {Actions} from '../types.js' */

const PAGE = 96;
const COLUMNS = 8; // of a sheet, not of the gallery: thumbnails flow

const FILTERS = /** @type {const} */ (['split', 'dataset', 'correct', 'label', 'predicted']);

export class Gallery {
  /** @param {HTMLElement} filters @param {HTMLElement} grid @param {Actions} actions */
  constructor(filters, grid, actions) {
    this.filters = filters;
    this.place = grid;
    this.actions = actions;
    /** @type {Sample[]} */
    this.samples = [];
    this.key = '';
    /** @type {string|null} */
    this.next = null;
    /** @type {Promise<void>|null} */
    this.loading = null;
    this.pending = new AbortController();
    this.grid = h('div.grid', {role: 'group', 'aria-label': 'Samples; arrow keys move',
      onkeydown: (/** @type {KeyboardEvent} */ event) => this.move(event)});
    this.end = h('p.empty', {'aria-live': 'polite'});
    this.place.append(this.grid, this.end);
    new IntersectionObserver((entries) => {
      if (entries.some((entry) => entry.isIntersecting)) void this.load();
    }, {root: null, rootMargin: '300px'}).observe(this.end);
  }

  /** @param {Run} run @param {State} state */
  show(run, state) {
    /** @type {Record<string, string|number|null>} */
    const filter = Object.fromEntries(FILTERS.map((name) => [name, state[name]]));
    const key = JSON.stringify([run.id, filter]);
    this.run = run;
    this.state = state;
    if (key !== this.key) {
      this.key = key;
      this.filter = filter;
      this.pending.abort();
      this.pending = new AbortController();
      this.loading = null;
      this.samples = [];
      this.next = '';
      this.grid.replaceChildren();
      this.place.scrollTo(0, 0);
      void this.load();
    }
    this.showFilters(run, state);
    this.mark();
  }

  /** Empties it for a run of another kind. */
  forget() {
    this.pending.abort();
    this.run = undefined;
    this.key = '';
    this.place.replaceChildren(this.grid, this.end);
  }

  /** The sample before or after: in the gallery, or by id for one that is not in it; null: none.
   *  @param {number} sample @param {-1|1} direction */
  neighbour(sample, direction) {
    const at = this.samples.findIndex((other) => other.id === sample);
    if (at < 0) return this.run && sampleExists(this.run, sample + direction) ? sample + direction : null;
    if (at + 10 > this.samples.length) void this.load();
    return this.samples[at + direction]?.id ?? null;
  }

  /** Loads the next page, unless one is on its way or there is none. */
  load() {
    if (this.loading || this.next === null || !this.run) return this.loading;
    const {signal} = this.pending;
    const run = this.run;
    this.end.textContent = 'Loading…';
    this.loading = listSamples(run.id, this.filter ?? {}, PAGE, this.next || null, signal).then((page) => {
      if (signal.aborted) return;
      this.samples.push(...page.samples);
      this.next = page.next;
      if (page.samples.length) this.append(run, page.samples);
      this.end.textContent = page.total === 0 ?
        'No sample matches: take a filter away.' : page.next === null ?
          `${count(page.total)} ${page.total === 1 ? 'sample' : 'samples'}, all shown` : '';
      byId('total').textContent = count(page.total);
      this.mark();
      this.loading = null;
      // The end may still be in sight, and then the observer has nothing new to tell.
      if (this.end.getBoundingClientRect().top < innerHeight + 300) void this.load();
    }, (error) => {
      if (signal.aborted) return;
      this.loading = null;
      this.end.replaceChildren(String(error.message), ' ', h('button', {type: 'button',
        onclick: () => void this.load()}, 'Try again'));
    });
    return this.loading;
  }

  /** @param {Run} run @param {Sample[]} samples */
  append(run, samples) {
    const dataset = run.datasets[0];
    if (run.kind === 'described') {
      this.grid.append(...samples.map((sample) => this.thumb(run, sample, {}, words(sample.description ?? ''))));
      return;
    }
    const columns = Math.min(COLUMNS, samples.length);
    const rows = Math.ceil(samples.length / columns);
    const scale = dataset.width <= 64 ? 2 : 1;
    const url = sheetUrl(run.id, samples.map((sample) => sample.id), columns, scale);
    this.grid.append(...samples.map((sample, i) => {
      const x = columns > 1 ? 100 * (i % columns) / (columns - 1) : 0;
      const y = rows > 1 ? 100 * Math.floor(i / columns) / (rows - 1) : 0;
      return this.thumb(run, sample, {'aspect-ratio': `${dataset.width} / ${dataset.height}`},
        h('span.pixels', {style: {'background-image': `url("${url}")`,
          'background-size': `${100 * columns}% ${100 * rows}%`,
          'background-position': `${x}% ${y}%`}}));
    }));
  }

  /** @param {Run} run @param {Sample} sample @param {Record<string, string>} style @param {Element} shown */
  thumb(run, sample, style, shown) {
    const label = className(run, sample.dataset, sample.label);
    const title = `${label}, ${sampleName(sample)}, ` + (sample.correct ? 'called so' :
      `called ${outputName(run, sample.predicted)}`) + (sample.path ? `, ${sample.path}` : '');
    return h(`button.thumb${sample.correct ? '' : '.wrong'}`, {type: 'button', title,
      'aria-label': title, 'data-sample': sample.id, tabIndex: -1, style,
      onclick: () => this.actions.explain(sample.id)}, shown);
  }

  /** Marks the sample that is explained; it, or the first, is where the Tab key arrives. */
  mark() {
    let reachable = null;
    for (const thumb of this.grid.children) {
      const chosen = Number(thumb.dataset.sample) === this.state?.sample;
      thumb.tabIndex = -1;
      if (chosen) thumb.setAttribute('aria-current', 'true');
      else thumb.removeAttribute('aria-current');
      if (chosen) reachable = thumb;
    }
    reachable ??= this.grid.firstElementChild;
    if (reachable) reachable.tabIndex = 0;
  }

  /** @param {KeyboardEvent} event */
  move(event) {
    const thumbs = [...this.grid.children];
    const at = thumbs.indexOf(document.activeElement);
    const columns = getComputedStyle(this.grid).gridTemplateColumns.split(' ').length;
    const step = {ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns}[event.key];
    if (step === undefined || at < 0) return;
    event.preventDefault();
    const target = thumbs[Math.max(0, Math.min(thumbs.length - 1, at + step))];
    thumbs[at].tabIndex = -1;
    target.tabIndex = 0;
    target.focus();
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
    /** @param {string} name @param {string} label @param {Array<{value: string, text: string}>} options */
    const filter = (name, label, options) => {
      const value = /** @type {any} */ (state)[name];
      const element = select(options, String(value ?? ''), label, (text) => {
        const typed = name === 'label' || name === 'predicted' ? Number(text) : text;
        this.actions.choose({[name]: text === '' ? null : typed});
      });
      element.id = `filter-${name}`;
      if (value !== null && !(name === 'split' && value === 'test')) element.classList.add('chosen');
      return element;
    };
    redraw(this.filters,
      filter('split', 'Split', [{value: 'test', text: 'test'},
        ...(run.datasets.some((dataset) => dataset.splits.validation.samples) ?
          [{value: 'validation', text: 'validation'}] : []), {value: 'train', text: 'train'}]),
      run.datasets.length > 1 ? filter('dataset', 'Data set', [any('all data sets'),
        ...run.datasets.map((dataset) => ({value: dataset.name, text: dataset.name}))]) : '',
      filter('correct', 'Right or wrong', [
        any('right or wrong'), {value: 'false', text: 'wrong'}, {value: 'true', text: 'right'}]),
      filter('label', 'Label', [any('any label'), ...labels]),
      filter('predicted', 'Called', [any('called any'),
        ...classes.map(({value, text}) => ({value, text: `called ${text}`}))]));
    redraw(byId('jump-to'), this.jump(run, state));
  }

  /** @param {Run} run @param {State} state */
  jump(run, state) {
    const dataset = run.datasets.find((d) => d.name === state.dataset) ?? run.datasets[0];
    const {first_sample: first, samples} = dataset.splits[state.split];
    const input = h('input', {type: 'number', id: 'jump', min: '0', max: String(samples - 1),
      placeholder: 'go to #', 'aria-label': `Go to ${state.split} index, 0 to ${samples - 1}`});
    return h('form.jump', {onsubmit: (/** @type {Event} */ event) => {
      event.preventDefault();
      if (input.value !== '') this.actions.explain(first + Number(input.value));
    }}, input, h('button.hidden', {type: 'submit'}, 'Go'));
  }
}
