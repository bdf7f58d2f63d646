// The view as one file that opens without a server: what stands on the page, its styles and its pictures inside.

import {h} from './dom.js';

/** What needs the server, or only steers the page. */
const LEFT_OUT = 'script, link, noscript, dialog, #samples, #notices, #progress, #intro button, .skip, .controls, .steps, .take-out, .take-away, ' +
  '#more, #continuation, #removal:not(:has(.verdict)), #removal form, .pointing, .preview, #header > button:not(.stats), #header .compare, .head > button, meta[property], meta[name^="twitter"]';

/** @param {Blob} blob @returns {Promise<string>} a data: URL */
function dataUrl(blob) {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(/** @type {string} */ (reader.result));
    reader.onerror = () => reject(reader.error);
    reader.readAsDataURL(blob);
  });
}

/** The styles of the page as one text. */
function styles() {
  return [...document.styleSheets].flatMap((sheet) => [...sheet.cssRules].map((rule) => rule.cssText)).join('\n');
}

/** @param {string} source */
async function picture(source) {
  const response = await fetch(source);
  if (!response.ok) throw new Error(`the server said ${response.status} when asked for a picture`);
  return dataUrl(await response.blob());
}

/** Opens the tables behind the charts once: they are made when they are opened. */
async function fillTables() {
  const closed = /** @type {HTMLDetailsElement[]} */ ([...document.querySelectorAll('details.numbers:not([open])')]);
  for (const details of closed) details.open = true;
  await new Promise((resolve) => setTimeout(resolve, 50)); // their toggle comes with the next task
  for (const details of closed) details.open = false;
}

/** Puts every picture of the copy into it; those of the page and of the copy stand in the same order.
 *  @param {HTMLElement} copy */
async function holdPictures(copy) {
  const canvases = document.querySelectorAll('canvas'), copies = copy.querySelectorAll('canvas');
  canvases.forEach((canvas, i) => {
    const {width} = canvas.getBoundingClientRect();
    if (!canvas.width || !canvas.height) return;
    const image = copies[i].ownerDocument.createElement('img');
    image.setAttribute('src', canvas.toDataURL());
    image.setAttribute('alt', canvas.getAttribute('aria-label') ?? '');
    image.className = canvas.className;
    image.style.cssText = `width: ${width}px; max-width: 100%; height: auto; image-rendering: pixelated`;
    copies[i].replaceWith(image);
  });
  /** @type {Map<string, Promise<string>>} */
  const known = new Map();
  await Promise.all([...copy.querySelectorAll('img')].map(async (image) => {
    const source = image.getAttribute('src') ?? '';
    if (source.startsWith('data:') || !source) return;
    if (!known.has(source)) known.set(source, picture(source));
    image.setAttribute('src', await /** @type {Promise<string>} */ (known.get(source)));
    image.removeAttribute('loading');
  }));
}

/** Puts what is chosen into the copy, which does not know it; there is nothing to choose any more. @param {HTMLElement} copy */
function holdChoices(copy) {
  const selects = document.querySelectorAll('select');
  copy.querySelectorAll('select').forEach((select, i) => {
    const chosen = copy.ownerDocument.createElement('span');
    chosen.className = select.className;
    chosen.hidden = select.hidden;
    chosen.textContent = selects[i].selectedOptions[0]?.text ?? '';
    select.replaceWith(chosen);
  });
}

/** The page as it is now, as a text. @returns {Promise<string>} */
async function viewAsFile() {
  await fillTables();
  const inert = document.implementation.createHTMLDocument(''); // in which nothing is loaded
  const copy = /** @type {HTMLElement} */ (inert.importNode(document.documentElement, true));
  holdChoices(copy);
  await holdPictures(copy);
  for (const element of copy.querySelectorAll(LEFT_OUT)) element.remove();
  for (const button of copy.querySelectorAll('button')) button.setAttribute('tabindex', '-1');
  for (const anchor of copy.querySelectorAll('a')) anchor.href = location.href;
  const body = /** @type {HTMLElement} */ (copy.querySelector('body')), head = /** @type {HTMLElement} */ (copy.querySelector('head'));
  delete body.dataset.view; // which is of the server
  head.append(h('meta', {'http-equiv': 'Content-Security-Policy', content: "default-src 'none'; style-src 'unsafe-inline'; img-src data:"}),
    h('style', {}, `${styles()}\nmain { grid-template-columns: minmax(0, 1fr) !important; } button { pointer-events: none; }`));
  body.append(h('p.saved', {}, `Saved on ${new Date().toISOString().slice(0, 10)} from `, h('a', {href: location.href}, location.href),
    ', where the same run file is served.'));
  return `<!doctype html>\n${copy.outerHTML}`;
}

/** Saves the page as it is now as one file. */
export async function saveView() {
  const url = URL.createObjectURL(new Blob([await viewAsFile()], {type: 'text/html'}));
  h('a', {href: url, download: `${document.title.replace(/[^\w.-]+/g, '-')}.html`}).click();
  setTimeout(() => URL.revokeObjectURL(url), 10000);
}
