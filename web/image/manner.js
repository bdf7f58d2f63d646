// How a run of images, or of described samples, tells of its classes and of its training samples.

import {askAll} from '../api.js';
import {outputName} from '../format.js';
import {MISSED} from '../views/missed.js';
import {termName} from '../views/removal.js';
import {showCards} from '../views/strips.js';
import {openWhy} from '../views/why.js';

/** @import {Answer, Card, Manner, Subject, Visit} from '../types.js' */

/** Tells why a training sample is lit. @param {Visit} visit @param {Subject} subject @param {number} output */
export function tellsWhy({run, state, pixels, actions}, subject, output) {
  return (/** @type {Card} */ card) => void openWhy(run, state, subject, pixels, card, output, actions);
}

/** @param {Visit} visit @param {Answer} answer @param {Subject} subject @returns {Manner} */
export function imageManner(visit, answer, subject) {
  const {run, state, pixels, signal} = visit;
  return {
    target: answer.target, predicted: answer.predicted, outputs: null,
    output: (output) => outputName(run, output),
    term: (term) => termName(run, state, term),
    estimate: async () => (await askAll(['answer', 'spotlight'],
      {...state, rank: 'influence', by: 'sample', layer: null, place: null, class: null, k: MISSED}, pixels, signal)).spotlight,
    recall: async (walked) => walked.map((missed) => ({...missed, score: missed.influence, contribution: 0})),
    showCards: (strip) => showCards(run, strip, tellsWhy(visit, subject, strip.output)),
  };
}
