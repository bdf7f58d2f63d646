// Wires the page: address -> state -> requests -> views, and clicks back to the address.

import {ApiError, askAll, askStrips, attend, getCommon, getRun, getSample, listMarks, listRanks, listRuns, listSamples, listSuspects, question} from './api.js';
import {byId, h, redraw} from './dom.js';
import {nameOf, noun, outputName, percent, subjectFile, subjectName} from './format.js';
import {destroyPanels, layOut, showFirst, showFurther} from './panels.js';
import {decodePixels, takesPictures} from './pixels.js';
import {ranksOf, setRanks} from './ranks.js';
import {canAsk, fitState, formatUrl, isHeld, onlyTest, parseUrl} from './state.js';
import {openShare} from './views/share.js';
import {listen} from './keys.js';
import {near} from './near.js';
import {offerAway} from './take.js';
import {showAnswer, showFailure} from './views/answer.js';
import {showCompare} from './views/compare.js';
import {openPad, takeDropped} from './views/draw.js';
import {help, showHeader, switchTheme} from './views/header.js';
import {introduce} from './views/intro.js';
import {MISSED, awaitMissed, showMissed, showWalked} from './views/missed.js';
import {notify, showNotices} from './views/notices.js';
import {showRemoval, withTerm} from './views/removal.js';
import {showRetrained} from './views/retrained.js';
import {Gallery} from './views/samples.js';
import {showCommon, showSpotlight, commonRank} from './views/spotlight.js';
import {showCards, showStrips} from './views/strips.js';
import {showSuspects} from './views/suspects.js';
import {showTruth} from './views/truth.js';
import {openWhy} from './views/why.js';
import {firstPosition, neighbour, renderText} from './text/page.js';

// The address changes without a new page, and with it what the icon's, which is relative, would mean.
for (const icon of document.querySelectorAll('link[rel="icon"]')) icon.setAttribute('href', /** @type {HTMLLinkElement} */ (icon).href);

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

/** Makes room for a run of another kind.
 *  @param {Run} next */
function turnTo(next) {
  body.dataset.channels = String(next.datasets[0].channels);
  const form = `${next.kind}${next.dual ? '' : ' attention-only'}${next.recorded ? ' recorded' : ''}`;
  if (body.dataset.form === form) return;
  body.dataset.form = form;
  if (body.dataset.kind !== undefined && body.dataset.kind !== next.kind) { // a page made for images cannot become one for text
    for (const id of ['strips', 'missed', 'retrained', 'spotlight', 'removal', 'answer', 'filters', 'gallery', 'total', 'jump-to']) redraw(byId(id));
    byId('samples-title').textContent = next.kind === 'text' ? 'Text' : 'Samples';
    gallery.forget();
  }
  layOut(next);
  body.dataset.kind = next.kind;
}

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
    else actions.choose({sample, pixels: null, as: null, text: null, place: null, view: 'query'});
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
    const [id, sample] = other(state);
    actions.toRun(id, {sample, with: id === state.run ? String(state.sample) : `${state.run}/${state.sample}`});
  },
  draw() {
    if (run) openPad(run, state, actions);
  },
  step(direction) {
    if (run?.kind === 'text') {
      const change = neighbour(run, state, direction);
      if (change) actions.choose(change);
      else notify(direction > 0 ? 'This is the last token.' : 'This is the first token.');
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
    openShare(hasCard ? question('figures/card.png', {...state, remove: null}, pixels, false, name) : null,
      `${(name ?? 'picture').replaceAll('/', '-')}-card.png`);
  },
};

const gallery = new Gallery(byId('filters'), byId('gallery'), actions);

/** Whether the next sample that is clicked is the one to compare with. @param {boolean} on */
function pick(on) {
  if (on) body.dataset.picking = '';
  else delete body.dataset.picking;
}

/** The run and sample that is compared with. @param {State} asked @returns {[string, number]} */
function other(asked) {
  const [id, sample] = /** @type {string} */ (asked.with).includes('/') ?
    /** @type {string} */ (asked.with).split('/') : [/** @type {string} */ (asked.run), asked.with];
  return [id, Number(sample)];
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
  delete body.dataset.panels;
  try {
    // A newer render may change state and run while this one waits: it draws what it began with.
    const asked = state;
    const shown = run?.id === asked.run ? run : await getRun(/** @type {string} */ (asked.run), mine.signal);
    if (mine.signal.aborted) return;
    run = shown;
    turnTo(shown);
    showHeader(byId('header'), runs, shown, asked, actions);
    const pixels = asked.pixels === null ? null :
      decodePixels(asked.pixels, shown.layers[0].inputs) ?? null;
    if (asked.sample === null && !pixels && asked.text === null && asked.view === 'query') {
      const sample = shown.kind === 'text' ? firstPosition(shown) : await firstSample(shown.id);
      if (!mine.signal.aborted) go({...asked, sample, pixels: null}, true);
      return;
    }
    if (shown.kind === 'text') {
      const more = await renderText(shown, asked, actions, mine.signal, () => ready('query'));
      if (more) void further(more, mine.signal);
      return;
    }
    gallery.show(shown, asked);
    if (asked.view === 'suspects') await renderSuspects(shown, mine.signal);
    else await renderQuery(shown, asked, pixels, mine.signal);
  } catch (error) {
    if (mine.signal.aborted) return;
    body.dataset.mode = 'query';
    showFailure(byId('answer'), error instanceof ApiError ? error.message :
      `The page failed: ${error}`, () => void render());
    for (const id of ['strips', 'missed', 'retrained', 'spotlight', 'removal']) redraw(byId(id));
    destroyPanels();
    body.dataset.state = 'error';
  }
}

/** What stands on the page is what was asked for. @param {'query'|'compare'|'suspects'} mode */
function ready(mode) {
  body.dataset.mode = mode;
  body.dataset.state = 'ready';
  body.dataset.view = location.pathname + location.search;
}

/** @param {Run} shown @param {AbortSignal} signal */
async function renderSuspects(shown, signal) {
  const [page, marks] = await Promise.all([listSuspects(shown.id, null, signal), listMarks(shown.id, signal).catch((error) => {
    if (!signal.aborted) notify(`The marks cannot be read: ${error.message}`);
    return [];
  })]);
  if (signal.aborted) return;
  document.title = `suspicious labels · ${shown.name} · keylight`;
  showSuspects(byId('suspects'), shown, page, marks, actions, signal);
  offerAway(byId('suspects'), shown, state, null, {title: 'the suspects', resource: 'suspects', figures: []});
  ready('suspects');
}

/** What the sections above the panels can be taken away as. @type {Array<[string, string, string[]]>} */
const OFFERS = [['answer', 'answer', ['answer']], ['strips', 'strips', ['strips', 'card']], ['spotlight', 'spotlight', ['spotlight']],
  ['removal', 'removal', []]];

/** The answer, and what argued for and against it. @param {Run} shown @param {State} asked @param {Answer} answer
 *  @param {import('./types.js').Strip[]} strips @param {import('./types.js').Subject} subject @param {number[]|null} pixels */
function showFirstScreen(shown, asked, answer, strips, subject, pixels) {
  introduce(shown, answer);
  showAnswer(byId('answer'), shown, answer, subject, actions);
  showStrips(byId('strips'), strips, subjectFile(subject), actions, (strip) => showCards(shown, strip,
    (card) => void openWhy(shown, asked, subject, pixels, card, strip.output, actions)), `A click on ${noun(shown) === 'image' ? 'an image' : 'a sample'} tells why.`);
  if (shown.dual) awaitMissed(byId('missed'));
  else redraw(byId('missed'));
  showRetrained(byId('retrained'), shown, asked, actions, pending.signal);
}

/** What was asked about last: another subject is brought into view, and told to who does not see it. */
let shownLast = '';

/** @param {Run} shown @param {State} asked @param {Answer} answer @param {Subject} subject */
function arrive(shown, asked, answer, subject) {
  const name = `${shown.id} ${asked.sample ?? asked.pixels}`, isFirst = shownLast === '';
  if (name === shownLast) return;
  shownLast = name;
  if (isFirst) return;
  const said = outputName(shown, answer.predicted), label = 'target' in subject && subject.target !== answer.predicted ? `, labelled ${outputName(shown, subject.target)}` : '';
  byId('said').textContent = `${subjectName(subject)}: called ${said}, ${percent(answer.probabilities[answer.predicted], 0)}${label}`;
  const {top, bottom} = byId('answer').getBoundingClientRect();
  if (bottom < 0 || top > innerHeight - 100) goTo('answer');
}

const PATIENCE_MS = 1000;

/** Where the spotlight takes long, the first screen does not wait for it. @param {Run} shown @param {State} asked @param {number[]|null} pixels
 *  @param {Promise<Answer>} whole @param {Promise<[import('./types.js').Strip[], import('./types.js').Sample|null]>} quick @param {AbortSignal} signal */
async function showEarly(shown, asked, pixels, whole, quick, signal) {
  const late = new Promise((resolve) => setTimeout(() => resolve('late'), PATIENCE_MS));
  if (asked.with !== null || await Promise.race([whole, late]) !== 'late') return;
  const [answer, [strips, sample]] = await Promise.all([askAll(['answer'], asked, pixels, signal), quick]);
  if (signal.aborted) return;
  body.dataset.mode = 'query';
  showFirstScreen(shown, asked, answer, strips, sample ?? {pixels: pixels ?? []}, pixels);
  for (const id of ['spotlight', 'removal']) redraw(byId(id));
}

/** @param {Run} shown @param {State} asked @param {number[]|null} pixels @param {AbortSignal} signal */
async function renderQuery(shown, asked, pixels, signal) {
  const whole = attend(asked, pixels, signal);
  const quick = Promise.all([asked.with === null ? askStrips(asked, pixels, signal) : [],
    asked.sample === null ? null : getSample(shown.id, asked.sample, signal)]);
  for (const one of [whole, quick]) one.catch(() => {}); // whichever fails first is told
  await showEarly(shown, asked, pixels, whole, quick, signal);
  const [answer, [strips, sample]] = await Promise.all([whole, quick]);
  const subject = sample ?? {pixels: pixels ?? []};
  if (signal.aborted) return;
  document.title = `${subjectName(subject)} · ${shown.name} · keylight`;
  if (asked.with === null) arrive(shown, asked, answer, subject);
  if (asked.with !== null) {
    await renderCompare({run: shown, answer, subject}, asked, signal);
    return;
  }
  showFirstScreen(shown, asked, answer, strips, subject, pixels);
  showSpotlight(byId('spotlight'), shown, asked, answer, subject, actions);
  showTruth(byId('truth-place'), shown, asked, actions, signal);
  if (shown.dual) showRemoval(byId('removal'), shown, asked, answer, subject, actions);
  else redraw(byId('removal'), h('p.soft', {}, 'No error signals are recorded: there are no contributions, and nothing can be taken out of the memory.'));
  for (const [id, resource, figures] of OFFERS)
    if (resource !== 'removal' || asked.remove !== null)
      offerAway(byId(id), shown, asked, pixels, {title: `the ${id}`, resource, figures});
  const context = {run: shown, state: asked, pixels, subject, answer, layers: [], actions, signal};
  showFirst(context);
  ready('query');
  void further(() => showFurther(context), signal);
  void near(byId('missed'), signal).then(() => tellMissed(context, subject)).catch((error) => {
    if (!signal.aborted) redraw(byId('missed'), h('p.soft', {}, `What would be missed cannot be told: ${error.message}`));
  });
  void near(byId('spotlight'), signal).then(() => tellCommon(shown, answer, signal)).catch((error) => {
    if (!signal.aborted) notify(`How common these are cannot be told: ${error.message}`);
  });
}

/** Which images would be missed most. @param {import('./panels.js').Context} context @param {import('./types.js').Subject} subject */
async function tellMissed({run: shown, state: asked, pixels, signal}, subject) {
  if (!shown.dual) return;
  const why = (/** @type {number} */ output) => (/** @type {import('./types.js').Card} */ card) => void openWhy(shown, asked, subject, pixels, card, output, actions);
  if (asked.missed === 'walk' && 'target' in subject) {
    showWalked(byId('missed'), shown, asked, subject.target, actions, why(subject.target), signal);
    return;
  }
  const answer = await askAll(['answer', 'spotlight'], {...asked, rank: 'influence', by: 'sample', layer: null, place: null, class: null, k: MISSED}, pixels, signal);
  if (signal.aborted) return;
  showMissed(byId('missed'), shown, asked, answer, actions, why(answer.target ?? answer.predicted));
}

/** How common it is what is lit. @param {Run} shown @param {Answer} answer @param {AbortSignal} signal */
async function tellCommon(shown, answer, signal) {
  if (!shown.datasets.some((dataset) => dataset.splits.test.samples)) return;
  const common = await getCommon(shown.id, answer.layer, commonRank(answer), answer.by, signal);
  if (!signal.aborted) showCommon(byId('spotlight'), answer, common);
}

/** The panels, once they are near. @param {() => Promise<void>} more @param {AbortSignal} signal */
async function further(more, signal) {
  await near(byId('panels'), signal);
  try {
    await more();
    if (!signal.aborted) body.dataset.panels = 'ready';
  } catch (error) {
    if (!signal.aborted) notify(`Some panels are missing: ${/** @type {Error} */ (error).message}`);
  }
}

/** @param {import('./views/compare.js').Side} mine @param {State} asked @param {AbortSignal} signal */
async function renderCompare(mine, asked, signal) {
  const [id, sample] = other(asked);
  const theirs = id === mine.run.id ? mine.run : await getRun(id, signal);
  const question = {...fitState(asked, theirs, runs), sample, pixels: null, remove: null};
  const [answer, subject] = await Promise.all([attend(question, null, signal), getSample(id, sample, signal)]);
  if (signal.aborted) return;
  showCompare(byId('compare'), asked, mine, {run: theirs, answer, subject}, actions);
  ready('compare');
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
  if (!run) return;
  if (name === 'layer') {
    const {length} = run.layers, now = state.layer ?? length;
    actions.choose({layer: now % length + 1, place: null});
  } else {
    const names = ranksOf(run.dual).map((rank) => rank.name), now = names.indexOf(state.rank.split(':')[0]);
    actions.choose({rank: names[(now + 1) % names.length]});
  }
}

/** Shows a section, whatever is scrolled to. @param {string} id */
function goTo(id) {
  byId(id).scrollIntoView({block: 'start'});
}

/** @type {import('./keys.js').Key[]} */
const KEYS = [
  {key: 'n', text: 'next sample, or token', act: () => actions.step(1)},
  {key: 'p', text: 'previous sample, or token', act: () => actions.step(-1)},
  {key: 'l', text: 'next layer', act: () => cycle('layer')},
  {key: 'r', text: 'next rank', act: () => cycle('rank')},
  {key: 'b', text: 'by pattern, or by sample', act: () => actions.choose({by: state.by === 'pattern' ? 'sample' : 'pattern'})},
  {key: 'a', text: 'to the answer', act: () => goTo('answer')},
  {key: 'o', text: 'to the spotlight', act: () => goTo('spotlight')},
  {key: '/', text: 'find a sample', act: () => document.getElementById('jump')?.focus()},
  {key: 'd', text: 'your image', act: () => run && takesPictures(run) && actions.draw()},
  {key: 's', text: 'share', act: () => actions.share()},
  {key: 't', text: 'dark or light', act: switchTheme},
  {key: '?', text: 'this list', act: () => run && help(run)},
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
    if (event.key === 'Escape') pick(false);
  });
  listen(KEYS);
  takeDropped((file) => {
    if (run && takesPictures(run)) openPad(run, state, actions, file);
  });
  readAddress(true);
}

void start();
