// Makes DOM nodes: text is always text, never HTML.

import {release} from './lifetime.js';

/**
 * @typedef {Node|string|number|null|undefined|false} Child
 * @param {string} tag with classes, as in 'div.card.lit'
 * @param {Record<string, any>} [properties] on…: listeners; style: custom properties and others;
 *   data…, aria-… and role: attributes; everything else: properties of the element
 * @param {...(Child|Child[])} children
 * @returns {any} the element (any: its kind follows from tag)
 */
export function h(tag, properties = {}, ...children) {
  const [name, ...classes] = tag.split('.');
  const element = document.createElement(name);
  if (classes.length) element.className = classes.join(' ');
  for (const [key, value] of Object.entries(properties)) {
    if (value === null || value === undefined) continue;
    if (key.startsWith('on')) element.addEventListener(key.slice(2), value);
    else if (key === 'style')
      for (const [property, text] of Object.entries(value)) element.style.setProperty(property, text);
    else if (key.includes('-') || key === 'role' || key === 'for' || key === 'scope')
      element.setAttribute(key, String(value));
    else /** @type {any} */ (element)[key] = value;
  }
  element.append(...children.flat().filter(
    (child) => child !== null && child !== undefined && child !== false).map(
    (child) => child instanceof Node ? child : String(child)));
  return element;
}

/** @param {string} id @returns {HTMLElement} an element that index.html has */
export function byId(id) {
  const element = document.getElementById(id);
  if (!element) throw new Error(`index.html has no #${id}`);
  return element;
}

/** Shows a section, whatever is scrolled to. @param {string} id */
export function goTo(id) {
  byId(id).scrollIntoView({block: 'start'});
}

/** @param {Array<{value: string, text: string}>} options @param {string} chosen
 *  @param {string} label @param {(value: string) => void} onchange */
export function select(options, chosen, label, onchange) {
  const element = h('select', {'aria-label': label, id: `select-${label}`.replace(/[^\w-]/g, '-'), onchange: () => onchange(element.value)},
    options.map((option) => h('option', {value: option.value,
      selected: option.value === chosen}, option.text)));
  return element;
}

/**
 * A row of buttons of which one is pressed; focus stays where it was when the row is drawn anew.
 * @param {Array<{value: string, text: string, title?: string}>} options
 * @param {string} chosen @param {string} label @param {(value: string) => void} choose
 */
export function choice(options, chosen, label, choose) {
  return h('div.choice', {role: 'group', 'aria-label': label}, options.map((option) =>
    h('button', {type: 'button', 'aria-pressed': String(option.value === chosen),
      title: option.title, id: `choice-${label}-${option.value}`.replace(/[^\w-]/g, '-'),
      onclick: () => choose(option.value)}, option.text)));
}

/** Draws anew without losing the keyboard's place; what lived in the place ends.
 *  @param {HTMLElement} place @param {Array<Node|string|false|null>} nodes */
export function redraw(place, ...nodes) {
  const id = place.contains(document.activeElement) ? document.activeElement?.id : '';
  release(place);
  place.replaceChildren(...nodes.filter((node) => node !== null && node !== false));
  if (id) document.getElementById(id)?.focus({preventScroll: true});
}
