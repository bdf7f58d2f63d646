// The words that describe a sample without a picture.

import {h} from './dom.js';

/** A description: lines of a name and a value, parted by a tab, become a table. @param {string} text @param {string} [more] a class */
export function words(text, more) {
  const lines = text.split('\n');
  if (lines.every((line) => line.includes('\t'))) {
    return h(`span.words${more ?? ''}`, {}, h('span.values', {}, lines.flatMap((line) => {
      const [name, ...value] = line.split('\t');
      return [h('span.soft', {}, name), h('span', {}, value.join(' '))];
    })));
  }
  return h(`span.words${more ?? ''}`, {}, text);
}
