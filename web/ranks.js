// What a spotlight can be ordered by, as the server says.

/** @import {Rank} from './types.js' */

/** @type {Rank[]} */
let table = [];

/** Once, before anything else. @param {Rank[]} ranks */
export function setRanks(ranks) {
  table = ranks;
}

/** The rank that a text names, without the logit that may follow. @param {string} text */
export function rankOf(text) {
  return table.find((rank) => rank.name === text.split(':')[0]);
}

/** The same for a word of before. @param {string} text */
export function today(text) {
  return table.find((rank) => rank.older_name === text)?.name ?? text;
}

/** Those of a run. @param {boolean} dual whether it has contributions */
export function ranksOf(dual) {
  return table.filter((rank) => dual || !rank.needs_dual);
}

/** Buttons to choose one by. @param {Rank[]} ranks */
export function rankChoices(ranks) {
  return ranks.map(({name, label, meaning}) => ({value: name, text: label, title: meaning}));
}

/** What a rank's scores are. @param {string} text */
export function scoreName(text) {
  return rankOf(text)?.score_name ?? '';
}
