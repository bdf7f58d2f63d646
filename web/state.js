// What a person chose, and its address. Everything chosen is in the URL, nothing else is:
//   /r/<run>/q/<split>/<dataset>/<index>?layer=&rank=&by=&class=&k=&split=&dataset=&correct=&vote=&label=&predicted=
//   /r/<run>/q/drawing?pixels=...&layer=...
//   /r/<run>/q/text?text=...&place=...  what was typed, in a run of text
//   /r/<run>/suspects
//   /r/<run>/how/<split>/<dataset>/<index>?built=  how it works, told with that sample
//   /runs?between=                      all runs, and what two differ in

import {base} from './base.js';
import {classCount, nameOf, whyNotDual} from './format.js';
import {IN_LINK_MAX, decodePixels, takesPictures} from './pixels.js';
import {ranksOf, today} from './ranks.js';

/** @import {RunSummary} from './types.js' */

/**
 * @typedef {object} State
 * @property {string|null} run
 * @property {number|null} sample null: the drawing, or, without one, whatever is first
 * @property {string|null} pixels the picture of one's own (pixels.js)
 * @property {string|null} text what was typed, in a run of text
 * @property {number|null} place the token of it whose following is asked, null: the last; of a picture the place that attention is
 *   of, where the layer sees it at several, null: all of them
 * @property {string|null} as the data set that the drawing is of; null: the first
 * @property {'query'|'suspects'|'how'|'runs'} view
 * @property {number|null} layer null: the last
 * @property {string} rank
 * @property {'pattern'|'sample'} by
 * @property {number|null} class spotlight only this class, numbered over all data sets
 * @property {number} k
 * @property {number} [training] the training sample whose showings are asked for; not in the address
 * @property {'yes'|'no'} [contributions] whether the spotlight tells them; not in the address
 * @property {string|null} remove what to take out of the memory: docs/api.md; null: nothing is asked
 * @property {string|null} without whom the run is trained again without: docs/api.md; null: nobody asked
 * @property {string} among the spotlight whose first are left out: RANK, or RANK@LAYER
 * @property {'estimate'|'walk'} missed how it is told who would be missed
 * @property {number} built how many patterns are added up where it is told how it works; one more than there are: all
 * @property {string|null} between two runs, ID,ID, whose settings are compared
 * @property {number|null} tour the step of the tour; null: nobody is shown around
 * @property {string|null} with another sample to compare with: ID, or RUN/ID
 * @property {'class'|'dataset'} over what the attention over time is split by
 * @property {'abs'|'positive'|'negative'} of which attention is told over time
 * @property {'class'|'dataset'|'steps'} taught who taught which logit
 * @property {number} zoom pixels of a cell of the wall
 * @property {'train'|'validation'|'test'} split the gallery's filters, from here on
 * @property {string|null} dataset
 * @property {'true'|'false'|null} correct
 * @property {'differs'|'agrees'|null} vote whether the vote of what is attended to is the answer
 * @property {number|null} label
 * @property {number|null} predicted
 * @property {string|null} name a piece of the file's name, or of the description
 * @property {'stored'|'least-sure'|'most-sure'|'loss'|'margin'} sort the gallery's order
 */

export const DEFAULT_K = 20;
export const K_MAX = 1000;
export const TEXT_MAX = 2000;
export const BUILT_MAX = 12; // patterns that are told one by one
const TOUR_STEPS = 5;
/** What belongs to one view alone. @type {Record<string, State['view']>} */
const OF_VIEW = {built: 'how', between: 'runs', tour: 'query'};
const NAME_MAX = 200;

/** @param {string} text @param {number} low @param {number} high */
function integer(text, low, high) {
  const value = /^\d{1,9}$/.test(text) ? Number(text) : NaN;
  return value >= low && value <= high ? value : undefined;
}

/** @param {RunSummary} run */
function outputs(run) {
  return run.layers[run.layers.length - 1].outputs;
}

/** @param {string} text @param {RunSummary} run one term of what to remove */
function isTerm(text, run) {
  const [, kind, value] = /^(\w+):(.*)$/.exec(text) ?? [];
  const range = /^(\d{1,9})-(\d{1,9})$/.exec(value ?? '');
  switch (kind) {
    case 'top': return integer(value, 0, K_MAX) !== undefined;
    case 'class': return integer(value, 0, classCount(run) - 1) !== undefined;
    case 'dataset': return run.datasets.some((dataset) => dataset.name === value);
    case 'sample': return integer(value, 0, 999999999) !== undefined && run.datasets.some(({splits: {train}}) =>
      Number(value) >= train.first_sample && Number(value) < train.first_sample + train.samples);
    case 'steps': return range !== null && +range[1] >= 1 && +range[1] <= +range[2] && +range[2] <= run.steps;
    default: return text === 'all';
  }
}

/** The terms of what to remove. @param {string|null} remove */
export function removalTerms(remove) {
  return remove ? remove.split(',') : [];
}

/** @param {string} text @param {readonly string[]} words */
function word(text, words) {
  return words.includes(text) ? text : undefined;
}

/**
 * The settings: how each is read from its text (undefined: invalid), what holds without it, and, if it is not
 * simply its value, how it is written.
 * @type {Record<string, {initial: any, parse: (text: string, run: RunSummary, runs: RunSummary[]) => any,
 *   allowed: (run: RunSummary) => string, format?: (value: any, run: RunSummary, runs: RunSummary[]) => string}>}
 */
export const settings = {
  text: {
    initial: null,
    parse: (text, run) => run.kind === 'text' && /[^\ufeff]/.test(text) && text.length <= TEXT_MAX ? text : undefined,
    allowed: (run) => run.kind === 'text' ? `1 to ${TEXT_MAX} characters` : 'for runs of text only',
  },
  place: {
    initial: null,
    parse: (text, run) => integer(text, 0, placesMax(run) - 1),
    allowed: (run) => placesMax(run) ? `0 to ${placesMax(run) - 1}` : 'for texts, and layers that see a picture at several places,',
  },
  pixels: {
    initial: null,
    parse: (text, run) => takesPictures(run) && decodePixels(text, run.layers[0].inputs) ? text : undefined,
    allowed: (run) => takesPictures(run) ? `a picture of ${run.layers[0].inputs} numbers` : 'nothing, because this run takes no pictures,',
  },
  as: {
    initial: null,
    parse: (text, run) => word(text, run.datasets.map((dataset) => dataset.name)),
    allowed: (run) => run.datasets.map((dataset) => dataset.name).join(' or '),
  },
  layer: {
    initial: null,
    parse: (text, run) => integer(text, 1, run.layers.length),
    allowed: (run) => `1 to ${run.layers.length}`,
  },
  rank: {
    initial: 'abs',
    parse: (given, run) => {
      const text = today(given);
      const [name, logit] = text.split(/:(.*)/s);
      const rank = ranksOf(run.dual !== false).find((one) => one.name === name);
      if (!rank || (logit !== undefined && !rank.takes_logit)) return undefined;
      return logit === undefined || integer(logit, 0, outputs(run) - 1) !== undefined ? text : undefined;
    },
    allowed: (run) => {
      const ranks = ranksOf(run.dual !== false), names = ranks.map(({name}) => name);
      if (run.dual === false) return `${names.slice(0, -1).join(', ')} or ${names.at(-1)} (${whyNotDual(run)})`;
      const ranges = ranks.filter((rank) => rank.takes_logit).map(({name}) => `${name}:0 to ${name}:${outputs(run) - 1}`);
      return `${names.join(', ')}, ${ranges.join(' or ')}`;
    },
  },
  by: {
    initial: 'pattern',
    parse: (text) => word(text, ['pattern', 'sample']),
    allowed: () => 'pattern or sample',
  },
  class: {
    initial: null,
    parse: (text, run) => integer(text, 0, classCount(run) - 1),
    allowed: (run) => `0 to ${classCount(run) - 1}`,
  },
  k: {
    initial: DEFAULT_K,
    parse: (text) => integer(text, 1, K_MAX),
    allowed: () => `1 to ${K_MAX}`,
  },
  remove: {
    initial: null,
    parse: (text, run) => {
      if (run.dual === false) return undefined;
      const terms = text === '' ? [] : text.split(',');
      const count = (/** @type {string} */ kind) => terms.filter((term) => term.startsWith(`${kind}:`)).length;
      return terms.every((term) => isTerm(term, run)) && count('sample') <= 1000 &&
        ['class', 'dataset', 'steps'].every((kind) => count(kind) <= 64) ? text : undefined;
    },
    allowed: () => 'a list of top:N, class:NUMBER, dataset:NAME, steps:FIRST-LAST, sample:ID or all',
  },
  without: {
    initial: null,
    parse: (text, run) => run.errands.includes('retrain') && text !== '' && text.split(',').every((term) => term === 'marked' ||
      /^(top|class|dataset|sample):/.test(term) && isTerm(term, run)) ? text : undefined,
    allowed: (run) => run.errands.includes('retrain') ? 'a list of top:N, class:NUMBER, dataset:NAME, sample:ID or marked' :
      'nothing, because this run cannot be trained again,',
  },
  among: {
    initial: 'influence',
    parse: (text, run) => {
      const [rank, layer] = text.split('@');
      return settings.rank.parse(rank, run, []) !== undefined && (layer === undefined || settings.layer.parse(layer, run, []) !== undefined) ? text : undefined;
    },
    allowed: () => 'RANK or RANK@LAYER',
  },
  missed: {
    initial: 'estimate',
    parse: (text, run) => word(text, run.errands.includes('walk') ? ['estimate', 'walk'] : ['estimate']),
    allowed: (run) => run.errands.includes('walk') ? 'estimate or walk' : 'estimate',
  },
  with: {
    initial: null,
    parse: (text, run, runs) => {
      const other = runs.find((one) => text.startsWith(`${one.id}/`));
      const sample = sampleNamed(other ?? run, other ? text.slice(other.id.length + 1) : text);
      return sample === undefined ? undefined : other ? `${other.id}/${sample}` : String(sample);
    },
    format: (value, run, runs) => {
      const [id, sample] = value.includes('/') ? value.split('/') : [null, value];
      const name = nameOf(runs.find((one) => one.id === id) ?? run, Number(sample));
      return id ? `${id}/${name}` : name;
    },
    allowed: () => 'a sample of this run, or RUN/SAMPLE of another run that this server has,',
  },
  built: {
    initial: 0,
    parse: (text) => integer(text, 0, BUILT_MAX + 1),
    allowed: () => `0 to ${BUILT_MAX + 1}`,
  },
  between: {
    initial: null,
    parse: (text, run, runs) => text.split(',').length === 2 && text.split(',').every((id) => runs.some((one) => one.id === id)) ? text : undefined,
    allowed: () => 'ID,ID of runs that this server has',
  },
  tour: {
    initial: null,
    parse: (text) => integer(text, 1, TOUR_STEPS),
    allowed: () => `1 to ${TOUR_STEPS}`,
  },
  over: {
    initial: 'class',
    parse: (text) => word(text, ['class', 'dataset']),
    allowed: () => 'class or dataset',
  },
  of: {
    initial: 'abs',
    parse: (text) => word(text, ['abs', 'positive', 'negative']),
    allowed: () => 'abs, positive or negative',
  },
  taught: {
    initial: 'class',
    parse: (text) => word(text, ['class', 'dataset', 'steps']),
    allowed: () => 'class, dataset or steps',
  },
  zoom: {
    initial: 2,
    parse: (text) => integer(text, 1, 8),
    allowed: () => '1 to 8',
  },
  split: {
    initial: 'test',
    parse: (text) => word(text, ['test', 'validation', 'train']),
    allowed: () => 'test, validation or train',
  },
  dataset: {
    initial: null,
    parse: (text, run) => word(text, run.datasets.map((dataset) => dataset.name)),
    allowed: (run) => run.datasets.map((dataset) => dataset.name).join(', '),
  },
  correct: {
    initial: null,
    parse: (text) => word(text, ['true', 'false']),
    allowed: () => 'true or false',
  },
  vote: {
    initial: null,
    parse: (text, run) => run.kind === 'text' ? undefined : word(text, ['differs', 'agrees']),
    allowed: (run) => run.kind === 'text' ? 'for samples with classes only' : 'differs or agrees',
  },
  label: {
    initial: null,
    parse: (text, run) => integer(text, 0, Math.max(...run.datasets.map((dataset) => dataset.classes.length)) - 1),
    allowed: (run) => `0 to ${Math.max(...run.datasets.map((dataset) => dataset.classes.length)) - 1}`,
  },
  predicted: {
    initial: null,
    parse: (text, run) => integer(text, 0, outputs(run) - 1),
    allowed: (run) => `0 to ${outputs(run) - 1}`,
  },
  name: {
    initial: null,
    parse: (text, run) => run.kind !== 'text' && text !== '' && text.length <= NAME_MAX ? text : undefined,
    allowed: (run) => run.kind === 'text' ? 'for images and described samples only' : `1 to ${NAME_MAX} characters`,
  },
  sort: {
    initial: 'stored',
    parse: (text) => word(text, ['stored', 'least-sure', 'most-sure', 'loss', 'margin']),
    allowed: () => 'stored, least-sure, most-sure, loss or margin',
  },
};

/** How many places can be named in a run. @param {RunSummary} run */
function placesMax(run) {
  return run.kind === 'text' ? TEXT_MAX : Math.max(...run.layers.map(({places}) => places > 1 ? places : 0));
}

/** The run and sample that is compared with. @param {State} state @returns {[string, number]} */
export function comparedWith({run, with: other}) {
  const [id, sample] = /** @type {string} */ (other).includes('/') ? /** @type {string} */ (other).split('/') : [/** @type {string} */ (run), other];
  return [id, Number(sample)];
}

/** @param {RunSummary} run @param {number} sample */
export function sampleExists(run, sample) {
  return run.datasets.some((dataset) => Object.values(dataset.splits).some(
    (split) => sample >= split.first_sample && sample < split.first_sample + split.samples));
}

/** Why a sample cannot be asked about. @param {string} name */
export function onlyTest(name) {
  return `This network was recorded: only the program that trained it can run it, so that only its recorded test samples can be asked about, not ${name.slice(0, 80)}.`;
}

/** Whether a sample can be asked about: of a network that only its framework can run, those of the test split.
 *  @param {RunSummary} run @param {number} sample its id */
export function canAsk(run, sample) {
  if (run.asked) return run.asked.includes(sample);
  return !run.recorded || run.datasets.some(({splits: {test}}) => sample >= test.first_sample && sample < test.first_sample + test.samples);
}

/** A sample by its name, test/fashion-mnist/42, or, as in addresses of before, its id. @param {RunSummary} run
 *  @param {string} text @returns {number|undefined} its id */
export function sampleNamed(run, text) {
  const id = integer(text, 0, 999999999);
  if (id !== undefined) return sampleExists(run, id) ? id : undefined;
  const [, split, name, index] = /^([a-z]+)\/(.*)\/(\d{1,9})$/.exec(text) ?? [];
  const found = run.datasets.find((dataset) => dataset.name === name)?.splits[/** @type {'test'} */ (split)];
  return found && Number(index) < found.samples ? found.first_sample + Number(index) : undefined;
}

/** Whether a state ranks by contributions that its layer has not. @param {State} state @param {RunSummary} run */
function lacksContributions(state, run) {
  return state.rank.startsWith('logit') && run.dual !== false &&
    !run.layers[(state.layer ?? run.layers.length) - 1].errors;
}

/** @param {string} text of a path */
function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/**
 * Reads an address. What it cannot mean falls back, with a notice for the person.
 * @param {URL} url
 * @param {RunSummary[]} runs at least one
 * @param {string|null} [held] a picture too large for the address
 * @returns {{state: State, notices: string[]}}
 */
export function parseUrl(url, runs, held = null) {
  /** @type {string[]} */
  const notices = [];
  const [path, id, place, named, view] = /^\/(?:runs|r\/([^/]*)(?:\/(q|how)\/([^/]*|[^/]+\/.*\/\d+)|\/(suspects|how))?\/?)?$/
    .exec(`/${url.pathname.slice(base.length)}`) ?? [];
  const found = runs.find((run) => run.id === id) ??
    runs.find((run) => run.fingerprint_before && run.fingerprint_before === id) ?? runs.find((run) => run.birth === id);
  const run = found ?? runs[0];
  if (!path) notices.push('The address is none of keylight’s, so this is the first run.');
  else if (id && !found)
    notices.push(`This server does not have run ${id.slice(0, 40)}, so this is “${run.name}”. ` +
      'A shared link needs the same run file on the server.');
  /** @type {any} */
  const state = {run: run.id, sample: null, view: path?.startsWith('/runs') ? 'runs' : !found ? 'query' :
    place === 'how' || view === 'how' ? 'how' : view === 'suspects' && run.kind !== 'text' ? 'suspects' : 'query'};
  if (view === 'suspects' && found && run.kind === 'text') notices.push('A run of text has no labels to suspect, so this is a place of its text.');
  const isDrawn = place === 'q' && named === 'drawing' && found, isTyped = place === 'q' && named === 'text' && found;
  if (named && !isDrawn && !isTyped && found) {
    const name = decoded(named), sample = sampleNamed(run, name);
    if (sample !== undefined && !canAsk(run, sample)) notices.push(onlyTest(name));
    else if (sample !== undefined) state.sample = sample;
    else notices.push(`This run has no sample ${name.slice(0, 80)}, so this is the first one.`);
  }
  for (const [name, setting] of Object.entries(settings)) {
    const text = isOf(name, state.view) ? url.searchParams.get(name) : null;
    const value = text === null ? setting.initial : setting.parse(text, run, runs);
    state[name] = value === undefined ? setting.initial : value;
    if (value === undefined)
      notices.push(`The address says ${name}=${text?.slice(0, 40)}, but ${name} is ` +
        `${setting.allowed(run)} here: it was left out.`);
  }
  if (lacksContributions(state, run)) {
    notices.push('The error signals of this layer are not recorded, so there are no contributions through it: ranked by |attention|.');
    state.rank = 'abs';
  }
  if (isDrawn && held !== null) state.pixels = settings.pixels.parse(held, run, runs) ?? null;
  if (!isDrawn) state.pixels = null;
  else if (state.pixels === null && !url.searchParams.has('pixels'))
    notices.push('The address has no picture in it, because it was too large for a link: choose it again. This is the first sample.');
  const {places} = run.layers[(state.layer ?? run.layers.length) - 1];
  if (!isTyped) state.text = null;
  if (!isTyped && state.place !== null && !(places > 1 && state.place < places)) state.place = null;
  if (isTyped && state.text === null && !url.searchParams.has('text'))
    notices.push('The address has no text in it, so this is a place of the run’s own.');
  for (const name of new Set(url.searchParams.keys()))
    if (!(name in settings))
      notices.push(`The address has a setting “${name.slice(0, 40)}” that keylight does not know: it was left out.`);
  return {state, notices};
}

/** A state for another run: what counts by number, and what cannot be there, falls back without a word.
 *  @param {State} state @param {RunSummary} run @param {RunSummary[]} runs @returns {State} */
export function fitState(state, run, runs) {
  if (state.run === run.id) return {...state};
  const before = runs.find((one) => one.id === state.run);
  const sameOutputs = run.kind !== 'text' && JSON.stringify(before?.outputs) === JSON.stringify(run.outputs);
  /** @type {any} */
  const fitted = {...state, run: run.id, class: null, label: null, predicted: null, remove: null, without: null,
    rank: sameOutputs ? state.rank : state.rank.split(':')[0]};
  if (run.kind === 'text' && fitted.view === 'suspects') fitted.view = 'query';
  for (const [name, setting] of Object.entries(settings)) {
    const value = fitted[name];
    if (value !== setting.initial && setting.parse(String(value), run, runs) === undefined) fitted[name] = setting.initial;
  }
  if (lacksContributions(fitted, run)) fitted.rank = 'abs';
  return fitted;
}

/** Whether a state's picture is too large for its address: then the tab's history holds it.
 *  @param {State} state @param {RunSummary} run */
export function isHeld(state, run) {
  return state.pixels !== null && run.layers[0].inputs > IN_LINK_MAX;
}

/** Whether a setting stands in the address of a view: all runs are of no run. @param {string} name @param {State['view']} view */
function isOf(name, view) {
  return (OF_VIEW[name] ?? view) === view && (view !== 'runs' || name === 'between');
}

/** @param {State} state @param {RunSummary[]} runs @returns {string} path and query */
export function formatUrl(state, runs) {
  const run = /** @type {RunSummary} */ (runs.find((one) => one.id === state.run));
  const query = new URLSearchParams();
  for (const [name, setting] of Object.entries(settings)) {
    const value = /** @type {any} */ (state)[name];
    if (value !== setting.initial && isOf(name, state.view) && !(name === 'pixels' && isHeld(state, run))) query.set(name, setting.format?.(value, run, runs) ?? String(value));
  }
  const name = state.sample === null ? null : nameOf(run, state.sample).split('/').map(encodeURIComponent).join('/');
  const subject = state.text !== null ? 'text' : state.pixels === null ? name : 'drawing';
  const path = state.view === 'runs' ? `${base}runs` : state.view === 'suspects' ? `${base}r/${state.run}/suspects` :
    state.view === 'how' ? `${base}r/${state.run}/how${name === null ? '' : `/${name}`}` : subject === null ? `${base}r/${state.run}` : `${base}r/${state.run}/q/${subject}`;
  const text = query.toString().replaceAll('%3A', ':').replaceAll('%2C', ',').replaceAll('%2F', '/').replaceAll('%40', '@');
  return text ? `${path}?${text}` : path;
}
