// The panels under the spotlight, in the order of the page. A panel more is one record here, and its view.

import {askAll, getMap} from './api.js';
import {byId, h, redraw} from './dom.js';
import {offerAway} from './take.js';
import {showHeat} from './text/heat.js';
import {showAlong, showStrongest, showTextLearning, showTextTime, showTokenTotals} from './text/panels.js';
import {showClasses} from './views/classes.js';
import {showCurves} from './views/curves.js';
import {LAYER_TOP, showLayers} from './views/layers.js';
import {showLearning} from './views/learning.js';
import {showMap} from './views/map.js';
import {showMatrix} from './views/matrix.js';
import {showPlaces} from './views/places.js';
import {showTime} from './views/time.js';
import {showTotals} from './views/totals.js';
import {showWall} from './views/wall.js';

/** @import {Run, Subject, Visit} from './types.js' */
/** @import {State} from './state.js' */

/**
 * @typedef {Visit & {subject: Subject|null, answer: any}} Context what a panel is drawn from: the subject of a text, null, is in its
 *   answer, which has what the panel needs
 *
 * @typedef {object} Panel
 * @property {string} id of its section
 * @property {string} title
 * @property {boolean} [wide]
 * @property {'images'|'text'} kind of data; images: and described samples
 * @property {string|((state: State) => string)} figure of the API that shows the same
 * @property {(state: State) => Partial<State>} [asks] what the figure is asked, where the page has other words for it
 * @property {string|null} resource of the API with its numbers; null: it offers itself
 * @property {string[]} needs resources of the API, or 'layers'; none: the answer itself
 * @property {(run: Run) => boolean} [applies] whether a run has what it tells; without: every run of the kind
 * @property {(section: HTMLElement, context: Context, layers: any[]) => void|Promise<void>} show layers: one answer a layer, if a panel needs them
 */

/** @type {Panel[]} */
const PANELS = [
  {id: 'classes', title: 'Attention by class', kind: 'images', figure: 'classes', resource: 'views/classes', needs: [],
    show: (section, {run, answer, subject}) => showClasses(section, run, answer, of(subject))},
  {id: 'curves', title: 'The 500 strongest of each class', kind: 'images', figure: 'curves', resource: 'views/curves', needs: ['views/curves'],
    show: (section, {run, answer, subject, actions}) => showCurves(section, run, answer, of(subject), actions)},
  {id: 'places', title: 'Where it looks', kind: 'images', figure: '', resource: null, needs: ['views/places'], applies: (run) => run.layers.some(({places}) => places > 1),
    show: (section, {run, state, answer, subject, actions}) => showPlaces(section, run, state, answer, of(subject), actions)},
  {id: 'time', title: 'Attention over training time', kind: 'images', figure: 'time', resource: 'views/time', needs: ['views/time', 'views/classes'],
    asks: ({of}) => ({rank: of}),
    show: (section, {run, state, answer, subject, actions}) => showTime(section, run, state, answer, of(subject), actions)},
  {id: 'matrix', title: 'Who taught which logit', kind: 'images', figure: ({taught}) => ({class: 'matrix', dataset: 'matrix-datasets', steps: 'matrix-steps'})[taught],
    resource: 'views/classes', needs: ['views/classes', 'views/time'], applies: (run) => run.dual,
    show: (section, {run, state, answer, subject, actions}) => showMatrix(section, run, state, answer, of(subject), actions)},
  {id: 'learning', title: 'How the answer was learned', wide: true, kind: 'images', figure: 'learning', resource: 'views/learning', needs: ['views/learning', 'views/time'],
    applies: (run) => run.dual && !run.recorded,
    show: (section, {run, answer, subject}) => showLearning(section, run, answer, of(subject))},
  {id: 'layers', title: 'All layers', kind: 'images', figure: 'layers', resource: 'views/classes', needs: ['layers'],
    show: (section, {run, answer, subject, actions}, layers) => showLayers(section, run, answer, layers, of(subject), actions)},
  {id: 'map', title: 'The map', wide: true, kind: 'images', figure: '', resource: null, needs: [], applies: (run) => run.layers[run.layers.length - 1].places === 1,
    show: async (section, {run, answer, subject, actions, signal}) => {
      const map = await mapOf(run.id);
      if (!signal.aborted) showMap(section, run, answer, map, of(subject), actions);
    }},
  {id: 'totals', title: 'Totals per training sample', kind: 'images', figure: 'totals', resource: 'views/samples', needs: ['views/samples'],
    show: (section, {run, answer, subject, actions}) => showTotals(section, run, answer, of(subject), actions)},
  {id: 'wall', title: 'The wall', wide: true, kind: 'images', figure: 'wall', resource: 'views/samples', needs: ['views/samples'],
    show: (section, {run, state, answer, subject, actions}) => showWall(section, run, state, answer, of(subject), actions)},

  {id: 'by-token', title: 'Attention by what followed', kind: 'text', figure: 'classes', resource: 'spotlight', needs: [],
    show: (section, {answer}) => showTokenTotals(section, answer)},
  {id: 'along', title: 'Along the text', kind: 'text', figure: 'along', resource: 'views/samples', needs: ['views/samples'],
    show: (section, {answer, actions}) => showAlong(section, answer, actions)},
  {id: 'text-time', title: 'Attention over training time', kind: 'text', figure: 'time', resource: 'views/time', needs: ['views/time'],
    show: (section, {state, answer, actions}) => showTextTime(section, state, answer, actions)},
  {id: 'strongest', title: 'The 500 strongest of each', kind: 'text', figure: 'curves', resource: 'views/curves', needs: ['views/curves'],
    show: (section, {answer, actions}) => showStrongest(section, answer, actions)},
  {id: 'text-learning', title: 'How the answer was learned', wide: true, kind: 'text', figure: 'learning', resource: 'views/learning', needs: ['views/learning'],
    applies: (run) => !run.recorded,
    show: (section, {run, answer}) => showTextLearning(section, run, answer)},
  {id: 'heat', title: 'The passage as a heat map', wide: true, kind: 'text', figure: 'heat', resource: null, needs: ['answer'],
    applies: (run) => !run.recorded,
    show: (section, {run, state, answer, actions, signal}) => showHeat(section, run, state, answer, actions, signal)},
];

/** @param {Subject|null} subject @returns {Subject} */
function of(subject) {
  return /** @type {Subject} */ (subject);
}

/** The map of the run that was looked at last: some hundred kilobytes.
 *  @type {{run: string, map: Promise<import('./types.js').SampleMap>}|null} */
let lastMap = null;

/** @param {string} run */
function mapOf(run) {
  if (lastMap?.run === run) return lastMap.map;
  const asked = {run, map: getMap(run, AbortSignal.timeout(60000))};
  lastMap = asked;
  asked.map.catch(() => {
    if (lastMap === asked) lastMap = null; // it is asked for again
  });
  return asked.map;
}

/** Whether a panel is of a run. @param {Panel} panel @param {Run} run */
function isOf({kind, applies}, run) {
  return (kind === 'text') === (run.kind === 'text') && (!applies || applies(run));
}

/** Makes room for the panels of a run, in the order of the list. @param {Panel[]} panels */
function layOut(panels) {
  const place = byId('panels');
  if (panels.map(({id}) => id).join() === [...place.children].map(({id}) => id).join()) return;
  redraw(place, ...panels.map(({id, title, wide}) => h(wide ? 'section.wide' : 'section', {id, 'aria-label': title})));
}

/** Draws one, with what can be taken away of it. @param {Panel} panel @param {Context} context @param {any[]} layers */
async function show({id, title, figure, asks, resource, show: draw}, context, layers) {
  const section = byId(id), {run, state, pixels} = context;
  await draw(section, context, layers);
  if (resource !== null) offerAway(section, run, {...state, ...asks?.(state)}, pixels, {title, resource,
    figures: [typeof figure === 'string' ? figure : figure(state)], words: asks && Object.keys(asks(state))});
}

/** What decides the panels' numbers; the rest of the state only how they are shown. @param {State} state */
function question({run, sample, pixels, as, text, place, layer, rank, by}) {
  return JSON.stringify([run, sample, pixels, as, text, place, layer, rank, by]);
}

/** The last answers, so that another way to show them asks nothing. */
let known = {question: '', answer: /** @type {any} */ (null), layers: /** @type {any[]} */ ([])};

/** @param {Panel[]} panels @param {Run} run @param {State} state @param {number[]|null} pixels @param {AbortSignal} signal */
async function load(panels, run, state, pixels, signal) {
  if (known.question === question(state) && known.answer) return known;
  const plain = {...state, remove: null, class: null, k: LAYER_TOP}, isText = run.kind === 'text';
  const needs = [...new Set(panels.flatMap((panel) => panel.needs))];
  const chosen = plain.layer ?? run.layers.length;
  // What depends on the least comes first: the last one says which layer it all is of.
  const views = needs.filter((need) => need.startsWith('views/')).sort((a, b) => Number(b === 'views/learning') - Number(a === 'views/learning'));
  const [answer, ...layers] = await Promise.all([askAll(['answer', ...views, 'spotlight'], plain, pixels, signal, isText),
    ...(needs.includes('layers') ? run.layers : []).map(({layer}) => askAll(['views/classes', 'spotlight'],
      {...plain, layer: layer === chosen ? plain.layer : layer, place: layer === chosen ? plain.place : null, contributions: 'no'}, pixels, signal, isText))]);
  known = {question: question(state), answer, layers};
  return known;
}

/** Draws them, first those that need no more than the answer. @param {Context} context */
export async function showPanels(context) {
  const {run, state, pixels, signal} = context, panels = PANELS.filter((panel) => isOf(panel, run));
  layOut(panels);
  const first = panels.filter(({needs}) => !needs.length).map((panel) => show(panel, context, []));
  for (const one of first) one.catch(() => {}); // it is told with the others
  const others = panels.filter(({needs}) => needs.length);
  const {answer, layers} = await load(others, run, state, pixels, signal);
  if (signal.aborted) return;
  await Promise.all([...first, ...others.map((panel) => show(panel, {...context, answer}, layers))]);
}
