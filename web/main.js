// Wires the page: address -> state -> requests -> views, and clicks back to the address.

import {ApiError, getRun, listRanks, listRuns, listSamples, question} from './api.js';
import {byId, goTo, redraw} from './dom.js';
import {nameOf} from './format.js';
import {askAhead, renderImage} from './image/page.js';
import {listen} from './keys.js';
import {decodePixels, takesPictures} from './pixels.js';
import {ranksOf, setRanks} from './ranks.js';
import {canAsk, comparedWith, fitState, formatUrl, isHeld, onlyTest, parseUrl} from './state.js';
import {showFailure} from './views/answer.js';
import {openPad, takeDropped} from './views/draw.js';
import {help, showHeader, switchTheme} from './views/header.js';
import {notify, showNotices} from './views/notices.js';
import {withTerm} from './views/removal.js';
import {Gallery} from './views/samples.js';
import {openShare} from './views/share.js';
import {showTour} from './views/tour.js';
import {showDamage} from './views/damage.js';
import {followTraining} from './views/training.js';

// The address changes without a new page, and with it what the icon's, which is relative, would mean.
for (const icon of document.querySelectorAll('link[rel="icon"]')) icon.setAttribute('href', /** @type {HTMLLinkElement} */ (icon).href);

/** @import {Actions, Run, RunSummary, Visit} from './types.js' */
/** @import {State} from './state.js' */

/** @type {RunSummary[]} */
let runs = [];
/** @type {State} */
let state;
/** @type {Run|null} */
let run = null;
/** The query under way, so that a newer one can end it. */
let pending = new AbortController();

const body = document.body;

/** What is answered sooner is not said to be waited for: to dim the page takes longer. */
const LOADING_MS = 100;
let waiting = 0;

/** What tells more than the answer. */
const SECTIONS = ['strips', 'missed', 'retrained', 'spotlight', 'removal', 'panels'];

/** Where on the page the link led that opened it. */
let destination = location.hash.slice(1);

/** What the first screen of images does not wait for. */
const later = () => import('./later.js');

/** Makes room for a run of another kind.
 *  @param {Run} next */
function turnTo(next) {
  body.dataset.channels = String(next.datasets[0].channels);
  const form = `${next.kind}${next.dual ? '' : ' attention-only'}${next.recorded ? ' recorded' : ''}`;
  if (body.dataset.form === form) return;
  body.dataset.form = form;
  if (body.dataset.kind !== undefined && body.dataset.kind !== next.kind) { // a page made for images cannot become one for text
    for (const id of [...SECTIONS, 'answer', 'filters', 'gallery', 'total', 'jump-to']) redraw(byId(id));
    byId('samples-title').textContent = next.kind === 'text' ? 'Text' : 'Samples';
    gallery.forget();
  }
  body.dataset.kind = next.kind;
}

/** What changes when a sample is asked about. @param {number} sample @returns {Partial<State>} */
const asking = (sample) => ({sample, pixels: null, as: null, text: null, place: null, view: 'query'});

/** @type {Actions} */
const actions = {
  choose(change) {
    showNotices([]);
    if ('run' in change || 'view' in change || 'with' in change) pick(false);
    go({...state, ...change}, false);
  },
  explain(sample) {
    if (run && !canAsk(run, sample)) notify(onlyTest(nameOf(run, sample)));
    else if ('picking' in body.dataset) actions.choose({with: String(sample)});
    else actions.choose(asking(sample));
  },
  press(sample) {
    const asked = {...state, ...asking(sample)};
    if (run && run.kind !== 'text' && !run.unfinished && asked.with === null && canAsk(run, sample) && !('picking' in body.dataset)) askAhead(run, asked);
  },
  explainIn(id, sample) {
    if ('picking' in body.dataset) actions.choose({with: `${id}/${sample}`});
    else actions.toRun(id, {sample, pixels: null, as: null, with: null, view: 'query'});
  },
  toRun(id, change) {
    const next = runs.find((one) => one.id === id);
    if (next) actions.choose(fitState({...state, ...change}, next, runs));
  },
  remove(term) {
    actions.choose(withTerm(state, term, true));
  },
  compare() {
    pick(true);
    notify('Pick the sample to compare with. Escape ends this.');
  },
  swap() {
    const [id, sample] = comparedWith(state);
    actions.toRun(id, {sample, with: id === state.run ? String(state.sample) : `${state.run}/${state.sample}`});
  },
  draw() {
    if (run) openPad(run, state, actions);
  },
  step(direction) {
    if (state.view === 'runs') return;
    if (run?.kind === 'text') {
      const shown = run;
      void later().then(({neighbour}) => {
        const change = neighbour(shown, state, direction);
        if (change) actions.choose(change);
        else notify(direction > 0 ? 'This is the last token.' : 'This is the first token.');
      }, () => notify('The page could not be loaded whole: load it again.'));
      return;
    }
    void gallery.neighbour(state.sample ?? 0, direction).then((next) => {
      if (next !== null) actions.explain(next);
      else notify(direction > 0 ? 'This is the last sample.' : 'This is the first sample.');
    }, (error) => notify(`The next sample cannot be told: ${error.message}`));
  },
  share() {
    const shown = /** @type {Run} */ (run), pixels = decodePixels(state.pixels ?? '', shown.layers[0].inputs) ?? null;
    const name = state.sample === null ? undefined : nameOf(shown, state.sample);
    const hasCard = shown.kind !== 'text' && state.view === 'query' && state.with === null;
    const destinations = SECTIONS.filter((id) => id !== 'panels'); // which are not there yet when a link opens
    openShare(destinations, hasCard ? question('figures/card.png', {...state, remove: null}, pixels, false, name) : null,
      `${(name ?? 'picture').replaceAll('/', '-')}-card.png`);
  },
};

const gallery = new Gallery(byId('filters'), byId('gallery'), actions);

/** Whether the next sample that is clicked is the one to compare with. @param {boolean} on */
function pick(on) {
  if (on) body.dataset.picking = '';
  else delete body.dataset.picking;
}

/** @param {State} next @param {boolean} replace */
function go(next, replace) {
  state = next;
  const url = formatUrl(state, runs), held = isHeld(state, /** @type {RunSummary} */ (runs.find(({id}) => id === state.run))) ? state.pixels : null;
  if (url !== location.pathname + location.search || held !== (history.state?.held ?? null)) {
    if (replace) history.replaceState(held && {held}, '', url);
    else history.pushState(held && {held}, '', url);
  }
  void render();
}

/** What to show first: of images something the network got wrong, where there is such a thing. @param {Run} shown @returns {Promise<number>} */
async function firstSample(shown) {
  if (shown.kind === 'text') return (await later()).firstPosition(shown);
  /** @type {Array<Record<string, string>>} */
  const filters = [{split: 'test', correct: 'false'}, {split: 'test'}, {}];
  for (const filter of filters) {
    const page = await listSamples(shown.id, filter, 1, null);
    if (page.samples.length) return page.samples[0].id;
  }
  throw new ApiError(404, 'This run has no samples to show.', null);
}

/** Draws what the state is a view of. @param {Visit} visit */
async function renderView(visit) {
  const {state: asked, run: shown} = visit;
  if (asked.view === 'query' && asked.with === null && shown.kind !== 'text') return renderImage(visit);
  visit.frame();
  const pages = await later();
  if (visit.signal.aborted) return;
  if (asked.view === 'runs') await pages.renderRuns(visit);
  else if (asked.view === 'how') await pages.renderHow(visit);
  else if (shown.kind === 'text') await pages.renderText(visit);
  else if (asked.view === 'suspects') await pages.renderSuspects(visit);
  else await pages.renderCompare(visit);
}

/** Looks for what becomes of a run in training. @param {Run} shown */
function follow(shown) {
  followTraining(shown, {
    list: listRuns,
    changed: (served, latest) => {
      runs = served;
      if (state.run === shown.id) state = {...state, run: latest.id}; // what is asked next is asked of it
      if (state.view === 'runs') go(state, true);
    },
    show: () => {
      gallery.forget();
      go(state, true);
    },
  });
}

/** Draws everything that the state asks for; the views keep what they have until then. */
async function render() {
  pending.abort();
  const mine = pending = new AbortController();
  let frame = () => {};
  clearTimeout(waiting);
  waiting = window.setTimeout(() => body.dataset.state = 'loading', LOADING_MS);
  delete body.dataset.panels;
  try {
    // A newer render may change state and run while this one waits: it draws what it began with.
    const asked = state;
    // Of a run in training there may be a later checkpoint.
    const shown = run?.id === asked.run && !run.unfinished ? run : await getRun(/** @type {string} */ (asked.run), mine.signal);
    if (mine.signal.aborted) return;
    run = shown;
    turnTo(shown);
    follow(shown);
    showDamage(shown);
    const pixels = asked.pixels === null ? null :
      decodePixels(asked.pixels, shown.layers[0].inputs) ?? null;
    frame = () => {
      showHeader(byId('header'), runs, shown, asked, actions);
      if (shown.kind !== 'text' && asked.view !== 'runs' && asked.view !== 'how') gallery.show(shown, asked);
    };
    const isAsked = asked.sample !== null || asked.view !== 'how' && (pixels !== null || asked.text !== null); // how it works is told with a sample
    if (!isAsked && (asked.view === 'query' || asked.view === 'how')) {
      const sample = await firstSample(shown);
      if (!mine.signal.aborted) go({...asked, sample, pixels: null, text: null}, true);
      return;
    }
    await renderView({run: shown, runs, state: asked, pixels, actions, signal: mine.signal, ready, frame});
  } catch (error) {
    if (mine.signal.aborted) return;
    clearTimeout(waiting);
    destination = '';
    frame();
    body.dataset.mode = 'query';
    showFailure(byId('answer'), error instanceof ApiError ? error.message :
      `The page failed: ${error}`, () => void render());
    for (const id of SECTIONS) redraw(byId(id));
    body.dataset.state = 'error';
  }
}

/** What stands on the page is what was asked for. @type {Visit['ready']} */
function ready(mode) {
  clearTimeout(waiting);
  body.dataset.mode = mode;
  body.dataset.state = 'ready';
  body.dataset.view = location.pathname + location.search;
  if (run) showTour(run, state, actions);
  if (SECTIONS.includes(destination)) goTo(destination);
  destination = '';
}

/** Reads the address anew: at the start, and on back and forward. @param {boolean} first */
function readAddress(first) {
  const {state: parsed, notices} = parseUrl(new URL(location.href), runs, history.state?.held ?? null);
  showNotices(notices);
  state = parsed;
  if (first || notices.length) go(parsed, true);
  else void render();
}

/** The layer or the rank after this one. @param {'layer'|'rank'} name */
function cycle(name) {
  if (!run || state.view !== 'query') return;
  if (name === 'layer') {
    const {length} = run.layers, now = state.layer ?? length;
    actions.choose({layer: now % length + 1, place: null});
  } else {
    const names = ranksOf(run.dual).map((rank) => rank.name), now = names.indexOf(state.rank.split(':')[0]);
    actions.choose({rank: names[(now + 1) % names.length]});
  }
}

/** @type {import('./keys.js').Key[]} */
const KEYS = [
  {key: 'n', text: 'next sample, or token', act: () => actions.step(1)},
  {key: 'p', text: 'previous sample, or token', act: () => actions.step(-1)},
  {key: 'l', text: 'next layer', act: () => cycle('layer')},
  {key: 'r', text: 'next rank', act: () => cycle('rank')},
  {key: 'b', text: 'by pattern, or by sample', act: () => state.view === 'query' && actions.choose({by: state.by === 'pattern' ? 'sample' : 'pattern'})},
  {key: 'a', text: 'to the answer', act: () => goTo('answer')},
  {key: 'o', text: 'to the spotlight', act: () => goTo('spotlight')},
  {key: '/', text: 'find a sample', act: () => document.getElementById('jump')?.focus()},
  {key: 'd', text: 'your image', act: () => run && takesPictures(run) && actions.draw()},
  {key: 'h', text: 'how it works', act: () => actions.choose({view: state.view === 'how' ? 'query' : 'how', with: null})},
  {key: 's', text: 'share', act: () => actions.share()},
  {key: 't', text: 'dark or light', act: switchTheme},
  {key: '?', text: 'this list', act: () => run && help(run, actions)},
];

async function start() {
  try {
    const [served, ranks] = await Promise.all([listRuns(), listRanks()]);
    runs = served;
    setRanks(ranks);
  } catch (error) {
    showFailure(byId('answer'), /** @type {Error} */ (error).message, () => void start());
    body.dataset.state = 'error';
    return;
  }
  addEventListener('popstate', () => readAddress(false));
  addEventListener('keydown', (event) => {
    if (event.key !== 'Escape') return;
    pick(false);
    if (state.tour !== null && state.view === 'query' && !document.querySelector('dialog[open]')) actions.choose({tour: null});
  });
  listen(KEYS);
  takeDropped((file) => {
    if (run && takesPictures(run)) openPad(run, state, actions, file);
  });
  readAddress(true);
}

void start();
