// Every request to the server goes through here.

import {base} from './base.js';
import {patiently} from './progress.js';

/** @import {Run, RunSummary, Sample, SamplePage} from './types.js' */
/** @import {State} from './state.js' */

/** What the server refused, with its reason in words. */
export class ApiError extends Error {
  /** @param {number} status @param {string} detail @param {string|null} parameter */
  constructor(status, detail, parameter) {
    super(detail);
    this.status = status;
    this.parameter = parameter;
  }
}

/** How often a busy server is asked again before the person is told so. */
const TRIES = 10;

/** @param {string} path @param {AbortSignal} [signal] @param {object} [posted] a body, to be POSTed
 *  @param {number} [tries] @returns {Promise<any>} */
async function ask(path, signal, posted, tries = TRIES) {
  const post = posted && {method: 'POST', body: JSON.stringify(posted),
    headers: {'Content-Type': 'application/json'}};
  let response;
  try {
    const run = /^runs\/(\w+)\//.exec(path)?.[1], sent = fetch(`${base}api/v1/${path}`, {signal, ...post});
    response = await (run ? patiently(run, sent) : sent);
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new ApiError(0, 'The server does not answer: is keylight serve still running?', null);
  }
  const wait = Number(response.headers.get('Retry-After'));
  if (response.status === 503 && wait > 0 && tries > 1) { // busy: the server says when to come back
    await response.body?.cancel();
    await new Promise((resolve) => setTimeout(resolve, 1000 * wait));
    signal?.throwIfAborted();
    return ask(path, signal, posted, tries - 1);
  }
  const body = await response.json().catch(() => ({}));
  if (!response.ok)
    throw new ApiError(response.status, body.detail ?? `The server said ${response.status}.`,
      body.parameter ?? null);
  return body;
}

/** @returns {Promise<RunSummary[]>} */
export async function listRuns() {
  return (await ask('runs')).runs;
}

/** @returns {Promise<import('./types.js').Rank[]>} */
export async function listRanks() {
  return (await ask('ranks')).ranks;
}

/** @returns {Promise<import('./types.js').Memory>} */
export function getMemory() {
  return ask('memory');
}

/** @param {string} run @param {AbortSignal} signal @returns {Promise<Run>} */
export function getRun(run, signal) {
  return ask(`runs/${encodeURIComponent(run)}`, signal);
}

/** @param {string} run @param {number} sample @param {AbortSignal} signal @returns {Promise<Sample>} */
export function getSample(run, sample, signal) {
  return ask(`runs/${run}/samples/${sample}`, signal);
}

/**
 * One page of the samples that match, from the token next on, or as the filter says.
 * @param {string} run
 * @param {Record<string, string|number|null>} filter
 * @param {number} limit
 * @param {string|null} next
 * @param {AbortSignal} [signal]
 * @returns {Promise<SamplePage>}
 */
export function listSamples(run, filter, limit, next, signal) {
  const query = new URLSearchParams({limit: String(limit)});
  for (const [name, value] of Object.entries(filter))
    if (value !== null) query.set(name, String(value));
  if (next) query.set('next', next);
  return ask(`runs/${run}/samples?${query}`, signal);
}

/** How many samples of a split are called what. @param {string} run @param {string} split @param {string|null} dataset
 *  @returns {Promise<import('./types.js').Confusion[]>} */
export async function getConfusions(run, split, dataset) {
  return (await ask(`runs/${run}/confusion?${new URLSearchParams({split, ...(dataset === null ? {} : {dataset})})}`)).confusions;
}

/** @param {string} run @param {AbortSignal} signal @returns {Promise<import('./types.js').SampleMap>} */
export function getMap(run, signal) {
  return ask(`runs/${run}/map`, signal);
}

/** What each resource about one subject depends on (docs/api.md). @type {Record<string, string[]>} */
const DEPENDS = {'answer': [], 'spotlight': ['layer', 'place', 'rank', 'by', 'class', 'k', 'contributions'], 'views/classes': ['layer', 'place'],
  'views/curves': ['layer', 'place'], 'views/time': ['layer', 'place'], 'views/samples': ['layer', 'place', 'rank'], 'views/learning': [],
  'views/places': ['layer', 'rank'],
  'strips': [], 'why': ['rank', 'training'],
  'removal': ['layer', 'rank', 'by', 'class', 'remove']};
/** Of a text they tell of the logit that the rank names, too. */
const OF_LOGIT = ['answer', 'views/time', 'views/learning'];

/** @param {string} resource @returns {string[]} words of the question that it depends on */
export function dependsOn(resource) {
  return DEPENDS[resource] ?? [];
}

/** What asks about the sample, or about the picture or the text if there is one: an address below the API's root and,
 *  for what is given, the body to post.
 *  @param {string} resource @param {State} state @param {number[]|null} pixels the picture's
 *  @param {boolean} isText @param {string} [sample] its name; its id without
 *  @returns {{path: string, body?: Record<string, any>}} */
export function question(resource, state, pixels, isText, sample = String(state.sample)) {
  const depends = resource.startsWith('figures/') ? DEPENDS.spotlight : DEPENDS[resource];
  const names = isText && OF_LOGIT.includes(resource) ? [...depends, 'rank'] : depends;
  const words = Object.fromEntries(names.map((name) => [name, /** @type {any} */ (state)[name]])
    .filter(([, value]) => value !== null && value !== undefined).map(([name, value]) => [name, String(value)]));
  const path = `runs/${state.run}/${resource}`;
  if (pixels) return {path, body: {...words, pixels, ...(state.as && {dataset: state.as})}};
  if (isText && state.text !== null)
    return {path, body: {...words, text: state.text, ...(state.place !== null && {place: state.place})}};
  return {path: `${path}?${new URLSearchParams({sample, ...words})}`.replaceAll('%2F', '/').replaceAll('%3A', ':')};
}

/** @param {string} resource @param {State} state @param {number[]|null} pixels the picture's
 *  @param {AbortSignal} signal @param {boolean} isText @returns {Promise<any>} */
function askAbout(resource, state, pixels, signal, isText) {
  const {path, body} = question(resource, state, pixels, isText);
  return ask(path, signal, body);
}

/** The same address with the server's root. @param {string} path */
export function apiUrl(path) {
  return new URL(`${base}api/v1/${path}`, location.origin).href;
}

/** Several resources about one subject, as one answer; what they all tell, such as the layer, is the last one's.
 *  @param {string[]} resources @param {State} state @param {number[]|null} pixels the drawing's
 *  @param {AbortSignal} signal @param {boolean} [isText] @returns {Promise<any>} */
export async function askAll(resources, state, pixels, signal, isText = false) {
  const parts = await Promise.all(resources.map((resource) => askAbout(resource, state, pixels, signal, isText)));
  return Object.assign({}, ...parts);
}

/** What is lit, with what else is told of a layer, and, of a text, the answer. @param {State} state @param {number[]|null} pixels the drawing's
 *  @param {AbortSignal} signal @param {boolean} [isText] @returns {Promise<any>} a TextAnswer, or what makes an Answer with that */
export function attend(state, pixels, signal, isText = false) {
  return askAll([...(isText ? ['answer'] : []), ...(state.remove === null ? [] : ['removal']), ...(isText ? [] : ['views/classes']), 'spotlight'],
    state, pixels, signal, isText);
}

/** The first screen's answer. @param {State} state @param {number[]|null} pixels the drawing's
 *  @param {AbortSignal} signal @param {boolean} [isText] @returns {Promise<import('./types.js').Strip[]>} */
export async function askStrips(state, pixels, signal, isText = false) {
  return (await askAbout('strips', state, pixels, signal, isText)).strips;
}

/** @param {string} run @param {AbortSignal} signal @returns {Promise<import('./types.js').TextDocument[]>} */
export async function listDocuments(run, signal) {
  return (await ask(`runs/${run}/documents`, signal)).documents;
}

/** What is typed is posted, what is stored is got. @param {string} run @param {string} what
 *  @param {Record<string, any>} words @param {AbortSignal} [signal] */
function askText(run, what, words, signal) {
  return 'text' in words ? ask(`runs/${run}/${what}`, signal, words) :
    ask(`runs/${run}/${what}?${new URLSearchParams(words)}`, signal);
}

/** @param {string} run @param {{sample: number, count: number}|{text: string}} words @param {AbortSignal} signal
 *  @returns {Promise<import('./types.js').Reading>} */
export function readText(run, words, signal) {
  return askText(run, 'reading', words, signal);
}

/** @param {string} run @param {Record<string, any>} words @param {AbortSignal} signal
 *  @returns {Promise<import('./types.js').Heat>} */
export function getHeat(run, words, signal) {
  return askText(run, 'heat', words, signal);
}

/** The same as an address and a body. @param {string} run @param {Record<string, any>} words */
export function heatQuestion(run, words) {
  return 'text' in words ? {path: `runs/${run}/heat`, body: words} : {path: `runs/${run}/heat?${new URLSearchParams(words)}`};
}

/** @param {string} run @param {{text: string, count: number, temperature: number, seed: number}} words
 *  @returns {Promise<{tokens: number[], texts: string[]}>} */
export function getContinuation(run, words) {
  return ask(`runs/${run}/continuation`, undefined, words);
}

/** @param {string} run @param {number} layer @param {string} rank @param {string} by
 *  @param {AbortSignal} signal @returns {Promise<import('./types.js').Common>} */
export function getCommon(run, layer, rank, by, signal) {
  return ask(`runs/${run}/common?layer=${layer}&rank=${rank}&by=${by}`, signal);
}

/** @param {string} run @param {string|null} next @param {AbortSignal} signal
 *  @returns {Promise<import('./types.js').SuspectPage>} */
export function listSuspects(run, next, signal) {
  return ask(`runs/${run}/suspects?limit=60${next ? `&next=${next}` : ''}`, signal);
}

/** @param {string} run @param {AbortSignal} signal @returns {Promise<import('./types.js').Mark[]>} */
export async function listMarks(run, signal) {
  return (await ask(`runs/${run}/marks`, signal)).marks;
}

/** Marks a sample; decision null takes its mark back. @param {string} run
 *  @param {{sample: number, decision: string|null, label: number|null}} mark
 *  @returns {Promise<import('./types.js').Mark[]>} all of them */
export async function setMark(run, mark) {
  return (await ask(`runs/${run}/marks`, undefined, mark)).marks;
}

/** How far what takes training is, and what came of it. @param {string} run @param {string} kind @param {Record<string, string>} words
 *  @param {AbortSignal} signal @returns {Promise<any>} */
export function lookErrand(run, kind, words, signal) {
  const query = new URLSearchParams(words).toString();
  return ask(`runs/${run}/${kind}${query ? `?${query}` : ''}`, signal);
}

/** Begins it, or, with cancel, ends it. @param {string} run @param {string} kind @param {Record<string, any>} words @returns {Promise<any>} */
export function postErrand(run, kind, words) {
  return ask(`runs/${run}/${kind}`, undefined, words, 1);
}

/** @param {string} run @param {'csv'|'json'} format */
export function marksUrl(run, format) {
  return `${base}api/v1/runs/${run}/marks?format=${format}${format === 'csv' ? '&bom=1' : ''}`;
}

/** @param {string} run @param {number} sample @param {number} scale */
export function imageUrl(run, sample, scale) {
  return `${base}api/v1/runs/${run}/images/${sample}.png?scale=${scale}`;
}

/** @param {string} run @param {number[]} samples @param {number} columns @param {number} scale */
export function sheetUrl(run, samples, columns, scale) {
  return `${base}api/v1/runs/${run}/sheet.png?samples=${samples.join(',')}&columns=${columns}&scale=${scale}`;
}
