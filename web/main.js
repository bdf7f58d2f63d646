// Wires the page: address -> state -> requests -> views, and clicks back to the address.

import {ApiError, attend, getRun, getSample, listRuns, listSamples} from './api.js';
import {byId} from './dom.js';
import {subjectName} from './format.js';
import {decodePixels} from './pixels.js';
import {formatUrl, parseUrl} from './state.js';
import {showAnswer, showFailure} from './views/answer.js';
import {showClasses} from './views/classes.js';
import {Gallery} from './views/samples.js';
import {openPad} from './views/draw.js';
import {showHeader} from './views/header.js';
import {notify, showNotices} from './views/notices.js';
import {showSpotlight} from './views/spotlight.js';

/** @import {Actions, Answer, Run, RunSummary, Subject} from './types.js' */
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

/** @type {Actions} */
const actions = {
  choose(change) {
    showNotices([]);
    go({...state, ...change}, false);
  },
  explain(sample) {
    actions.choose({sample, pixels: null});
  },
  draw() {
    if (run) openPad(run, state, actions);
  },
  step(direction) {
    const neighbour = gallery.neighbour(state.sample ?? 0, direction);
    if (neighbour !== null) actions.explain(neighbour);
    else notify(direction > 0 ? 'This is the last sample.' : 'This is the first sample.');
  },
  async share() {
    try {
      await navigator.clipboard.writeText(location.href);
      notify('Link copied. It opens this very view wherever the same run file is served.');
    } catch {
      notify(`Copy this link: ${location.href}`);
    }
  },
};

const gallery = new Gallery(byId('filters'), byId('gallery'), actions);

/** @param {State} next @param {boolean} replace */
function go(next, replace) {
  state = next;
  const url = formatUrl(state);
  if (url !== location.pathname + location.search) {
    if (replace) history.replaceState(null, '', url);
    else history.pushState(null, '', url);
  }
  void render();
}

/** What to show first: something the network got wrong, where there is such a thing.
 *  @param {string} id @returns {Promise<number>} */
async function firstSample(id) {
  /** @type {Array<Record<string, string>>} */
  const filters = [{split: 'test', correct: 'false'}, {split: 'test'}, {}];
  for (const filter of filters) {
    const page = await listSamples(id, filter, 1, null);
    if (page.samples.length) return page.samples[0].id;
  }
  throw new ApiError(404, 'This run has no samples to show.', null);
}

/** Draws everything that the state asks for; the views keep what they have until then. */
async function render() {
  pending.abort();
  const mine = pending = new AbortController();
  body.dataset.state = 'loading';
  try {
    // A newer render may change state and run while this one waits: it draws what it began with.
    const asked = state;
    const shown = run?.id === asked.run ? run : await getRun(/** @type {string} */ (asked.run), mine.signal);
    if (mine.signal.aborted) return;
    run = shown;
    showHeader(byId('header'), runs, shown, actions);
    const pixels = asked.pixels === null ? null :
      decodePixels(asked.pixels, shown.layers[0].inputs) ?? null;
    if (asked.sample === null && !pixels) {
      const sample = await firstSample(shown.id);
      if (!mine.signal.aborted) go({...asked, sample, pixels: null}, true);
      return;
    }
    gallery.show(shown, asked);
    const [answer, sample] = await Promise.all([attend(asked, pixels, mine.signal),
      asked.sample === null ? null : getSample(shown.id, asked.sample, mine.signal)]);
    if (mine.signal.aborted) return;
    draw(shown, asked, answer, sample ?? {pixels: pixels ?? []});
    body.dataset.state = 'ready';
    body.dataset.view = location.pathname + location.search;
  } catch (error) {
    if (mine.signal.aborted) return;
    showFailure(byId('answer'), error instanceof ApiError ? error.message :
      `The page failed: ${error}`, () => void render());
    byId('spotlight').replaceChildren();
    byId('classes').replaceChildren();
    body.dataset.state = 'error';
  }
}

/** @param {Run} shown @param {State} asked @param {Answer} answer @param {Subject} subject */
function draw(shown, asked, answer, subject) {
  document.title = `${subjectName(subject)} · ${shown.name} · keylight`;
  showAnswer(byId('answer'), shown, answer, subject, actions);
  showSpotlight(byId('spotlight'), shown, asked, answer, subject, actions);
  showClasses(byId('classes'), shown, answer, subject);
}

/** Reads the address anew: at the start, and on back and forward. @param {boolean} first */
function readAddress(first) {
  const {state: parsed, notices} = parseUrl(new URL(location.href), runs);
  showNotices(notices);
  state = parsed;
  if (first || notices.length) go(parsed, true);
  else void render();
}

async function start() {
  try {
    runs = await listRuns();
  } catch (error) {
    showFailure(byId('answer'), /** @type {Error} */ (error).message, () => void start());
    body.dataset.state = 'error';
    return;
  }
  addEventListener('popstate', () => readAddress(false));
  readAddress(true);
}

void start();
