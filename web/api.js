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

/** @param {string} path @param {AbortSignal} [signal] @returns {Promise<any>} */
async function get(path, signal) {
  let response;
  try {
    response = await fetch(`/api/v1/${path}`, {signal});
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new ApiError(0, 'The server does not answer: is keylight serve still running?', null);
  }
  const body = await response.json().catch(() => ({}));
  if (!response.ok)
    throw new ApiError(response.status, body.detail ?? `The server said ${response.status}.`,
      body.parameter ?? null);
  return body;
}

/** @returns {Promise<RunSummary[]>} */
export async function listRuns() {
  return (await get('runs')).runs;
}

/** @param {string} run @returns {Promise<Run>} */
export function getRun(run) {
  return get(`runs/${encodeURIComponent(run)}`);
}

/** @param {string} run @param {number} sample @returns {Promise<Sample>} */
export function getSample(run, sample) {
  return get(`runs/${run}/samples/${sample}`);
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
  return get(`runs/${run}/samples?${query}`, signal);
}

/** @param {State} state @param {AbortSignal} signal @returns {Promise<Answer>} */
export function attend(state, signal) {
  const query = new URLSearchParams({sample: String(state.sample), rank: state.rank,
    by: state.by, k: String(state.k)});
  if (state.layer !== null) query.set('layer', String(state.layer));
  if (state.class !== null) query.set('class', String(state.class));
  return get(`runs/${state.run}/attention?${query}`, signal);
}

/** @param {string} run @param {number} sample @param {number} scale */
export function imageUrl(run, sample, scale) {
  return `/api/v1/runs/${run}/images/${sample}.png?scale=${scale}`;
}

/** @param {string} run @param {number[]} samples @param {number} columns @param {number} scale */
export function sheetUrl(run, samples, columns, scale) {
  return `/api/v1/runs/${run}/sheet.png?samples=${samples.join(',')}&columns=${columns}&scale=${scale}`;
}
