// How a run of text tells of its tokens and of its training positions.

import {askAll, readText} from '../api.js';
import {MISSED} from '../views/missed.js';
import {textOf} from './answer.js';
import {showConcordance} from './concordance.js';
import {termName} from './removal.js';
import {named} from './tokens.js';

/** @import {Manner, MissedCard, Passage, TextAnswer, Visit} from '../types.js' */

const AROUND = {characters: 40, words: 8, whitespace: 8}; // tokens that are read on either side
const SHOWN = 10; // tokens of which is told what became of them

/** The places of a passage that would be missed. @param {Passage} passage @returns {MissedCard[]} */
function cardsOf({places, texts, document}) {
  return places.map(({sample, offset, attention, contribution, repetitions, score}) => ({sample, texts, offset, attention, contribution, repetitions, score, document}));
}

/** @param {Visit} visit @param {TextAnswer} answer @returns {Manner} */
export function textManner({run, state, actions, signal}, answer) {
  const {first_sample: first, samples} = run.datasets[0].splits.train, around = AROUND[/** @type {{tokens: 'words'}} */ (run.datasets[0].text).tokens];
  return {
    target: answer.target, predicted: answer.predicted, outputs: answer.next.slice(0, SHOWN).map(({token}) => token),
    output: (output) => textOf(answer, output) ? named(textOf(answer, output)) : `token ${output}`,
    term: (term) => termName(answer, term),
    estimate: async () => {
      const {passages} = await askAll(['answer', 'spotlight'], {...state, rank: 'influence', by: 'sample', layer: null, class: null, k: MISSED}, null, signal, true);
      return passages.flatMap(cardsOf).sort((/** @type {MissedCard} */ a, /** @type {MissedCard} */ b) => b.score - a.score).slice(0, MISSED); // a passage may light others beside its best
    },
    recall: (walked) => Promise.all(walked.map(async ({sample: {id, document}, influence, repetitions}) => {
      const begin = Math.max(first, id - around), {texts} = await readText(run.id, {sample: begin, count: Math.min(2 * around, first + samples - begin)}, signal);
      return {sample: id, texts, offset: id - begin, attention: 0, contribution: null, repetitions, score: influence, document: {name: document, position: 0}};
    })),
    showCards: (strip) => showConcordance(/** @type {any} */ (strip), actions),
  };
}
