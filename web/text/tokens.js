// Tokens as people read them: text stays what it is, white space gets a sign where it is named.

import {h} from '../dom.js';

/** @import {TextPlace} from '../types.js' */

/** @type {Record<string, string>} */
const SIGNS = {' ': '␣', '\n': '⏎', '\t': '⇥', '\u00a0': '⍽', '\r': '␍', '\u200b': '∅'};

/** White space as signs, so that a token can be named. @param {string} text */
export function visible(text) {
  return text.replace(/[\s\u200b]/g, (space) => SIGNS[space] ?? '␣');
}

/** A token by itself: without the space that stands before a word. @param {string} text */
export function bare(text) {
  return visible(text.replace(/^ (?=.)/s, ''));
}

/** A token in a sentence. @param {string} text */
export function named(text) {
  return `“${visible(text)}”`;
}

/** A stretch of text with some of its tokens marked: marks has an element's properties for them, by
 *  their number in the stretch.
 *  @param {string[]} texts @param {Map<number, Record<string, any>>} marks @returns {Node[]} */
export function marked(texts, marks) {
  /** @type {Node[]} */
  const nodes = [];
  let plain = '';
  texts.forEach((text, i) => {
    const properties = marks.get(i);
    if (!properties) {
      plain += text;
      return;
    }
    if (plain) nodes.push(document.createTextNode(plain));
    plain = '';
    const space = /^ (?=.)/s.exec(text)?.[0] ?? ''; // stands before the token, is none of it
    if (space) nodes.push(document.createTextNode(space));
    const own = text.slice(space.length);
    nodes.push(h('mark', properties, /^\s+$/.test(own) ? visible(own) : own));
    if (own.includes('\n')) nodes.push(document.createTextNode('\n'));
  });
  if (plain) nodes.push(document.createTextNode(plain));
  return nodes;
}

/** Where something stands in the run's text. @param {TextPlace} place */
export function where({split, document: {name, position}}) {
  return `${name.replace(/\.\w+$/, '').replaceAll('_', ' ')}, ${split === 'train' ? '' : `${split}, `}` +
    `token ${(position + 1).toLocaleString('en-US')}`;
}
