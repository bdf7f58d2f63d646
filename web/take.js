// What is on the page, to take away: as a figure, as numbers, as a line of code.

import {apiUrl, dependsOn, question} from './api.js';
import {h} from './dom.js';
import {nameOf} from './format.js';

/** @import {Run} from './types.js' */
/** @import {State} from './state.js' */

/**
 * @typedef {object} Offer
 * @property {string} title
 * @property {string|null} resource of the API whose numbers it shows
 * @property {string[]} figures names of the API's figures
 * @property {string[]} [words] of the question that the figures depend on beside the resource's
 * @property {{path: string, body?: Record<string, any>}} [asked] what gives its numbers, where the resource needs more
 */

/** The state with what an offer does not depend on left out. @param {State} state @param {Offer} offer @returns {State} */
function narrowed(state, offer) {
  const words = [...dependsOn(offer.resource ?? ''), ...(offer.words ?? [])], has = (/** @type {string} */ word) => words.includes(word);
  return {...state, layer: has('layer') ? state.layer : null, rank: has('rank') ? state.rank : 'abs', by: has('by') ? state.by : 'pattern',
    class: has('class') ? state.class : null};
}

/** The words of a question on the command line. @param {Run} run @param {State} state */
function flags(run, state) {
  const words = state.text === null ? ['--sample', nameOf(run, state.sample ?? 0)] : ['--text', state.text];
  if (state.layer !== null) words.push('--layer', String(state.layer));
  if (state.rank !== 'abs') words.push('--rank', state.rank);
  if (state.by !== 'pattern') words.push('--by', state.by);
  if (state.class !== null) words.push('--class', String(state.class));
  return words;
}

/** A word as a shell reads it. @param {string} word */
function quoted(word) {
  return /^[\w./:=,-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}

/** @param {Run} run @param {State} state @param {Offer} offer @returns {string|null} null: there is none for a picture of one's own */
function command(run, state, offer) {
  if (state.pixels !== null) return null;
  const file = quoted(run.file), words = flags(run, state).map(quoted).join(' ');
  const [figure] = offer.figures;
  return offer.resource === 'spotlight' || !figure ? `keylight query ${file} ${words}${state.remove === null ? '' : ` --remove ${quoted(state.remove)}`} --json` :
    `keylight figure ${file} ${words} --view ${figure} --output ${figure}.svg`;
}

/** @param {string} url @param {Record<string, any>|undefined} body */
function curl(url, body) {
  return body ? `curl -H 'Content-Type: application/json' -d ${quoted(JSON.stringify(body))} ${quoted(url)}` : `curl ${quoted(url)}`;
}

/** @param {string} url @param {Record<string, any>|undefined} body */
function python(url, body) {
  const asked = body ? [`question = json.loads(${JSON.stringify(JSON.stringify(body))})`,
    `request = urllib.request.Request(${JSON.stringify(url)}, json.dumps(question).encode(), {"Content-Type": "application/json"})`,
    'answer = json.load(urllib.request.urlopen(request))'] :
    [`answer = json.load(urllib.request.urlopen(${JSON.stringify(url)}))`];
  return ['import json', 'import urllib.request', '', ...asked, 'print(list(answer))'].join('\n');
}

/** A piece of code with a button that copies it. @param {string} name @param {string|null} text @param {(text: string) => void} tell */
function code(name, text, tell) {
  if (text === null) return null;
  const shown = h('pre', {tabIndex: 0, 'data-code': name}, text);
  return h('div.code', {}, h('div.head', {}, h('h3', {}, name), h('button.quiet', {type: 'button', 'aria-label': `Copy the ${name}`, onclick: async () => {
    try {
      await navigator.clipboard.writeText(text);
      tell('Copied.');
    } catch {
      getSelection()?.selectAllChildren(shown);
      tell('The browser does not let this page copy: copy the text, which is selected.');
    }
  }}, 'Copy')), shown);
}

/** Fetches what is asked with a body and saves it. @param {string} url @param {Record<string, any>} body @param {string} name of the file
 *  @param {(text: string) => void} tell */
async function savePosted(url, body, name, tell) {
  const response = await fetch(url, {method: 'POST', body: JSON.stringify(body), headers: {'Content-Type': 'application/json'}})
    .catch(() => null);
  if (!response?.ok) {
    tell(response ? (await response.json().catch(() => ({}))).detail ?? `The server said ${response.status}.` : 'The server does not answer.');
    return;
  }
  const blob = URL.createObjectURL(await response.blob());
  h('a', {href: blob, download: name}).click();
  setTimeout(() => URL.revokeObjectURL(blob), 10000);
}

/** A link that saves a file, or, of what is asked with a body, a button. @param {string} text @param {string} name of the file
 *  @param {{path: string, body?: Record<string, any>}} asked @param {(text: string) => void} tell what went wrong */
export function save(text, name, {path, body}, tell) {
  const url = apiUrl(path);
  return body ? h('button', {type: 'button', 'data-save': name, onclick: () => void savePosted(url, body, name, tell)}, text) :
    h('a.button', {href: url, download: name, 'data-save': name}, text);
}

/** Where this page is reached by others, the server asks for a token. */
const LOCAL = /^(localhost|127\.[\d.]+|\[::1\])$/;

/** @param {Run} run @param {State} state @param {number[]|null} pixels @param {Offer} offer */
function open(run, state, pixels, offer) {
  const isText = run.kind === 'text';
  const name = state.sample === null ? undefined : nameOf(run, state.sample);
  const told = h('p.soft', {role: 'status'}), asks = narrowed(state, offer);
  const tell = (/** @type {string} */ text) => {
    told.textContent = text;
  };
  const about = (/** @type {string} */ resource) => question(resource, {...asks, remove: null}, pixels, isText, name);
  const numbers = offer.asked ?? (offer.resource === null ? null : offer.resource === 'suspects' ? {path: `runs/${run.id}/suspects`} :
    question(offer.resource, state, pixels, isText, name));
  const file = (name ?? (isText ? 'text' : 'picture')).replaceAll('/', '-');
  const dialog = h('dialog.take', {'aria-label': `Take away: ${offer.title}`, onclose: () => dialog.remove()},
    h('div.dialog-head', {}, h('h2', {}, `Take away: ${offer.title}`),
      h('button.quiet', {type: 'button', 'aria-label': 'Close', onclick: () => dialog.close()}, '\u00d7')),
    offer.figures.length ? [h('h3', {}, 'As a figure'), h('p.soft', {}, 'To print: light, with axes, units, legend, the run and the query named in it.'),
      h('div.buttons', {}, offer.figures.flatMap((figure) => (figure === 'card' ? ['png'] : ['svg', 'png']).map((format) =>
        save(figure === 'card' ? 'Card to share' : format.toUpperCase(), `${file}-${figure}.${format}`, about(`figures/${figure}.${format}`), tell))))] : null,
    numbers && [h('h3', {}, 'As numbers'), h('div.buttons', {}, save('JSON', `${file}-${offer.resource?.replaceAll('/', '-')}.json`, numbers, tell)),
      code('curl', curl(apiUrl(numbers.path), numbers.body), tell),
      code('command', offer.resource === 'suspects' ? `keylight suspects ${quoted(run.file)} --json` : command(run, asks, offer), tell),
      code('Python', python(apiUrl(numbers.path), numbers.body), tell),
      LOCAL.test(location.hostname) ? null : h('p.soft', {}, 'Outside the browser, this server asks for its token: add the header Authorization: Bearer TOKEN.')], told);
  document.body.append(dialog);
  dialog.showModal();
}

/** @param {Run} run @param {State} state @param {number[]|null} pixels the picture's that is asked about @param {Offer} offer */
export function takeButton(run, state, pixels, offer) {
  return h('button.quiet.take-away', {type: 'button', 'aria-label': `Take away ${offer.title}: figure, numbers, code`,
    onclick: () => open(run, state, pixels, offer)}, 'Take away');
}

/** Adds the button to a section that has been drawn. @param {HTMLElement} section @param {Run} run @param {State} state
 *  @param {number[]|null} pixels @param {Offer} offer */
export function offerAway(section, run, state, pixels, offer) {
  const head = section.querySelector('.head:has(> button)') ?? section.querySelector('.head');
  head?.append(takeButton(run, state, pixels, offer));
}
