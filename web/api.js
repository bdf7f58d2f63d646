// Every request to the server goes through here.

/** @import {Run, RunSummary, Sample, SamplePage, Answer} from './types.js' */
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
    response = await fetch(`/api/v1/${path}`, {signal, ...post});
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

/** @param {string} run @param {AbortSignal} signal @returns {Promise<Run>} */
export function getRun(run, signal) {
  return ask(`runs/${encodeURIComponent(run)}`, signal);
}

/** @param {string} run @param {number} sample @param {AbortSignal} signal @returns {Promise<Sample>} */
export function getSample(run, sample, signal) {
  return ask(`runs/${run}/samples/${sample}`, signal);
}

/**
 * One page of the samples that match, from the token next on.
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

/** The answer for the sample, or for the drawing if there is one.
 *  @param {State} state @param {number[]|null} pixels the drawing's @param {AbortSignal} signal
 *  @param {Record<string, string|number>} [more] words that are not the state's, or other than it
 *  @returns {Promise<any>} an Answer, with what more asks for */
export function attend(state, pixels, signal, more = {}) {
  const {rank, by, k, layer, class: label, remove} = state;
  const words = Object.fromEntries(Object.entries({rank, by, k, layer, class: label, remove, ...more})
    .filter(([, value]) => value !== null).map(([name, value]) => [name, String(value)]));
  if (pixels) return ask(`runs/${state.run}/attention`, signal, {...words, pixels, ...(state.as && {dataset: state.as})});
  const query = new URLSearchParams({sample: String(state.sample), ...words});
  return ask(`runs/${state.run}/attention?${query}`, signal);
}

/** The answer for a place of a text: of the run's own, or of what was typed.
 *  @param {State} state @param {Record<string, string|number>} more @param {AbortSignal} signal
 *  @returns {Promise<any>} a TextAnswer, with what more asks for */
export function attendText(state, more, signal) {
  const {rank, by, k, layer, class: token, remove} = state;
  const words = Object.fromEntries(Object.entries({rank, by, k, layer, class: token, remove, ...more})
    .filter(([, value]) => value !== null).map(([name, value]) => [name, String(value)]));
  if (state.text !== null)
    return ask(`runs/${state.run}/attention`, signal, {...words, text: state.text, ...(state.place !== null && {place: state.place})});
  return ask(`runs/${state.run}/attention?${new URLSearchParams({sample: String(state.sample), ...words})}`, signal);
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

/** @param {string} run @param {number} sample @param {number} scale */
export function imageUrl(run, sample, scale) {
  return `/api/v1/runs/${run}/images/${sample}.png?scale=${scale}`;
}

/** @param {string} run @param {number[]} samples @param {number} columns @param {number} scale */
export function sheetUrl(run, samples, columns, scale) {
  return `/api/v1/runs/${run}/sheet.png?samples=${samples.join(',')}&columns=${columns}&scale=${scale}`;
}
