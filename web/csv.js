// What a view shows, as a file for a spreadsheet (RFC 4180), with the byte order mark that tells it UTF-8.

import {h} from './dom.js';

/** Texts that a spreadsheet would compute get an apostrophe before them; numbers stay numbers. @param {unknown} value */
function field(value) {
  let text = value === null || value === undefined ? '' : String(value);
  if (typeof value === 'string' && /^[=+\-@\t\r]/.test(text) && !/^[+-]?[\d.]+(e[+-]?\d+)?$/i.test(text)) text = `'${text}`;
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** @param {string[]} columns @param {unknown[][]} rows */
function formatCsv(columns, rows) {
  return [columns, ...rows].map((row) => row.map(field).join(',') + '\r\n').join('');
}

/**
 * A button that saves rows, made only when it is pressed.
 * @param {string} name of the file, without its ending
 * @param {string} label what is saved, for screen readers
 * @param {string[]} columns @param {() => unknown[][]} rows
 */
export function csvButton(name, label, columns, rows) {
  return h('button.quiet', {type: 'button', 'aria-label': `Save ${label} as CSV`, onclick: () => {
    const url = URL.createObjectURL(new Blob(['\ufeff', formatCsv(columns, rows())], {type: 'text/csv'}));
    h('a', {href: url, download: `${name}.csv`}).click();
    setTimeout(() => URL.revokeObjectURL(url), 10000);
  }}, 'CSV');
}
