// What is shown of a sample: its picture, or, where it has none, the words that describe it.

import {imageUrl} from './api.js';
import {h} from './dom.js';
import {words} from './words.js';

/** @import {SampleName} from './types.js' */

/** A card's picture. @param {string} run @param {SampleName} sample @param {number} scale */
export function depict(run, sample, scale) {
  if (sample.description !== undefined) return words(sample.description);
  return h('img', {src: imageUrl(run, sample.id, scale), alt: '', loading: 'lazy'});
}

/** The whole of it, as the subject of a view. @param {string} run @param {SampleName} sample @param {string} alt what it is */
export function depictWhole(run, sample, alt) {
  if (sample.description !== undefined) return words(sample.description, '.subject');
  return h('img.subject', {src: imageUrl(run, sample.id, 8), alt});
}
