// What takes training: a button that begins it, how far it is, an end to it, and what came of it.

import {lookErrand, postErrand} from './api.js';
import {h, redraw} from './dom.js';

const PERIOD_MS = 400;

/**
 * @typedef {object} Job
 * @property {string} id of its elements
 * @property {string} run
 * @property {'retrain'|'walk'|'truth'|'votes'} kind
 * @property {Record<string, string>} words of the question (docs/api.md)
 * @property {string} label of the button that begins it
 * @property {string} doing what it does, while it does
 * @property {(seconds: number|null) => string} takes how long that takes, if a training takes so many seconds, or nobody knows
 * @property {(answer: any) => Array<Node|string|null>} show
 * @property {AbortSignal} signal
 */

/** What is followed in a place: a newer one ends the one before. @type {WeakMap<HTMLElement, object>} */
const followed = new WeakMap();

/** As people say it. @param {number} seconds */
export function duration(seconds) {
  if (seconds < 1) return 'less than a second';
  if (seconds < 90) return `${Math.round(seconds)} s`;
  return seconds < 5400 ? `${Math.round(seconds / 60)} min` : `${(seconds / 3600).toFixed(1)} h`;
}

/** How long is left, once a little is done. @param {any} said */
function left({done, total, seconds}) {
  return done > 0 && seconds > 0.5 ? `${duration(seconds * (total - done) / done)} left` : '';
}

/** The job of a place from now on: asks how far it is until it is done. @param {HTMLElement} place @param {Job} job */
export async function followJob(place, job) {
  const mine = {};
  followed.set(place, mine);
  const isMine = () => followed.get(place) === mine && place.isConnected && !job.signal.aborted;
  try {
    let drawn = '';
    for (;;) {
      const said = await lookErrand(job.run, job.kind, job.words, job.signal);
      if (!isMine()) return;
      if (said.state === 'running' && drawn === 'running') advance(place, said);
      else draw(place, job, said);
      drawn = said.state;
      place.dataset.job = said.state;
      if (said.state !== 'waiting' && said.state !== 'running') return;
      await new Promise((resolve) => setTimeout(resolve, PERIOD_MS));
      if (!isMine()) return;
    }
  } catch (error) {
    if (!isMine()) return;
    place.dataset.job = 'error';
    redraw(place, h('p.soft', {role: 'alert'}, /** @type {Error} */ (error).message, ' ', button(place, job, 'Ask again', () => Promise.resolve())));
  }
}

/** A button that does something about the job and follows it then. @param {HTMLElement} place @param {Job} job @param {string} text
 *  @param {() => Promise<any>} act */
function button(place, job, text, act) {
  const it = h('button', {type: 'button', id: `${job.id}-button`, onclick: async () => {
    it.disabled = true;
    try {
      await act();
      void followJob(place, job);
    } catch (error) {
      it.disabled = false;
      it.after(h('span.soft', {role: 'alert'}, ` ${/** @type {Error} */ (error).message}`));
    }
  }}, text);
  return it;
}

/** Begins a job, or ends it, from elsewhere. @param {Pick<Job, 'run'|'kind'|'words'>} job @param {boolean} [cancel] */
export function begin({run, kind, words}, cancel = false) {
  return postErrand(run, kind, cancel ? {...words, cancel} : words);
}

/** @param {HTMLElement} place @param {Job} job @param {any} said */
function draw(place, job, said) {
  const {state, note} = said, start = () => button(place, job, job.label, () => begin(job));
  const end = () => button(place, job, 'Cancel', () => begin(job, true));
  switch (state) {
    case 'waiting':
      return redraw(place, h('div.job', {}, h('span', {role: 'status'}, said.before ? `Waiting: ${said.before} before it.` : 'About to begin.'), end()));
    case 'running':
      redraw(place, h('div.job', {}, h('span', {role: 'status'}, job.doing),
        h('progress', {max: said.total || 1, value: said.done, 'aria-label': job.doing}), h('span.soft.left', {}, left(said)), end()));
      return;
    case 'done':
      return redraw(place, ...job.show(said.answer), note ? h('p.soft', {role: 'status'}, `It is not kept beside the run: ${note}.`) : null);
    case 'failed':
      return redraw(place, h('div.job', {}, h('span', {role: 'alert'}, `It failed: ${note}.`), start()));
    default:
      return redraw(place, h('div.job', {}, start(), h('span.soft', {}, `${state === 'cancelled' ? 'Cancelled. ' : ''}${job.takes(said.training_seconds ?? null)}`)));
  }
}

/** @param {HTMLElement} place @param {any} said */
function advance(place, said) {
  const bar = /** @type {HTMLProgressElement} */ (place.querySelector('progress'));
  bar.max = said.total || 1;
  bar.value = said.done;
  /** @type {HTMLElement} */ (place.querySelector('.left')).textContent = left(said);
}
