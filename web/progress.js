// What takes longer than a second says how far it is.

import {base} from './base.js';
import {byId} from './dom.js';

const PATIENCE_MS = 1000, PERIOD_MS = 500;

/** @param {{layer: number, done: number}|null} sweep */
function show(sweep) {
  const line = byId('progress');
  line.hidden = !sweep;
  if (sweep) line.textContent = `Going through the history of layer ${sweep.layer}: ${Math.floor(100 * sweep.done)} %`;
}

let waiting = 0, watching = false;

/** Asks how far the run's work is until all that is waited for has come. @param {string} run */
async function watch(run) {
  watching = true;
  try {
    while (waiting > 0) {
      const response = await fetch(`${base}api/v1/runs/${run}/progress`);
      if (!response.ok) break;
      const {sweep} = await response.json();
      show(waiting > 0 ? sweep : null);
      await new Promise((resolve) => setTimeout(resolve, PERIOD_MS));
    }
  } catch {
    // Who waits is told by the request itself.
  } finally {
    watching = false;
    show(null);
  }
}

/** Waits for an answer about a run. @template T @param {string} run @param {Promise<T>} answer @returns {Promise<T>} */
export async function patiently(run, answer) {
  let late = false;
  const timer = setTimeout(() => {
    late = true;
    waiting++;
    if (!watching) void watch(run);
  }, PATIENCE_MS);
  try {
    return await answer;
  } finally {
    clearTimeout(timer);
    if (late) waiting--;
  }
}
