// The file that a sample came from, to be copied.

import {h} from '../dom.js';
import {notify} from './notices.js';

/** @param {string|undefined} path undefined: it came from no file of its own */
export function filePath(path) {
  return path === undefined ? null : h('button.path.quiet', {type: 'button', title: `${path} (copy path)`, onclick: async () => {
    try {
      await navigator.clipboard.writeText(path); // is not there on pages of other machines without https
      notify(`Copied: ${path}`);
    } catch {
      notify(path);
    }
  }}, path);
}
