// How brightly something is lit: by how far its score stands above the mean of all that could be.

/** @import {Scores} from './types.js' */

/** Light is full this many standard deviations above the mean. */
export const FULL_LIGHT = 6;

/** Standard deviations of a score above the mean. @param {Scores} scores @param {number} score */
export function above({mean, deviation}, score) {
  return deviation > 0 ? (score - mean) / deviation : 0;
}

/** From 0 (at the mean or below: dark) to 1. @param {number} deviations */
export function light(deviations) {
  return Math.max(0, Math.min(1, deviations / FULL_LIGHT));
}
