// Which layer: buttons of a few, or the tree of a model's modules, folded, with a search.

import {choice, h} from '../dom.js';

/** @import {Run} from '../types.js' */

const BUTTONS = 6; // layers of more are a tree

/**
 * @typedef {object} Branch
 * @property {string} name of the module, without what it is part of
 * @property {Map<string, Branch>} inside
 * @property {{layer: number, inputs: number, outputs: number, places: number}|null} layer that it is itself
 */

/** The modules of a run's layers by the dots in their names. @param {Run} run @returns {Branch} */
function treeOf(run) {
  /** @type {Branch} */
  const root = {name: '', inside: new Map(), layer: null};
  for (const layer of run.layers) {
    let at = root;
    for (const part of layer.name.split('.')) {
      if (!at.inside.has(part)) at.inside.set(part, {name: part, inside: new Map(), layer: null});
      at = /** @type {Branch} */ (at.inside.get(part));
    }
    at.layer = layer;
  }
  return root;
}

/** What a layer is made of, in words. @param {{inputs: number, outputs: number, places: number}} layer */
export function sizeOf({inputs, outputs, places}) {
  return `${inputs} → ${outputs}${places > 1 ? ` at ${places} places` : ''}`;
}

/** @param {Branch} branch @param {number} chosen @returns {boolean} */
function holds(branch, chosen) {
  return branch.layer?.layer === chosen || [...branch.inside.values()].some((one) => holds(one, chosen));
}

/** A branch as a list's entry; a module with nothing but one other in it is told together with it.
 *  @param {Branch} branch @param {string} path @param {number} chosen @param {(layer: number) => void} choose @returns {HTMLElement} */
function entry(branch, path, chosen, choose) {
  const {name, inside, layer} = branch, own = path ? `${path}.${name}` : name;
  if (layer && !inside.size)
    return h('li', {'data-name': own}, h('button.quiet', {type: 'button', 'aria-pressed': String(layer.layer === chosen), onclick: () => choose(layer.layer)},
      name, h('span.soft', {}, ` ${sizeOf(layer)}`)));
  return h('li', {'data-name': own}, h('details', {open: holds(branch, chosen)}, h('summary', {}, name),
    h('ul', {}, layer ? h('li', {'data-name': own}, h('button.quiet', {type: 'button', 'aria-pressed': String(layer.layer === chosen), onclick: () => choose(layer.layer)},
      'itself', h('span.soft', {}, ` ${sizeOf(layer)}`))) : null,
    [...inside.values()].map((one) => entry(one, own, chosen, choose)))));
}

/** Shows what a word is part of. @param {HTMLElement} list @param {string} word */
function filter(list, word) {
  for (const item of list.querySelectorAll('li')) {
    const found = [item, ...item.querySelectorAll('li')].some((one) => /** @type {HTMLElement} */ (one).dataset.name?.toLowerCase().includes(word));
    const within = item.parentElement?.closest('li')?.dataset.name?.toLowerCase().includes(word);
    item.hidden = !found && !within;
    const details = item.querySelector('details');
    if (word && details && found) details.open = true;
  }
}

/** The choice of a layer, from 1. @param {Run} run @param {number} chosen @param {(layer: number|null) => void} choose null: the last one */
export function layerChoice(run, chosen, choose) {
  const pick = (/** @type {number} */ layer) => choose(layer === run.layers.length ? null : layer);
  if (run.layers.length <= BUTTONS)
    return choice(run.layers.map((layer) => ({value: String(layer.layer), text: run.recorded ? layer.name : String(layer.layer),
      title: `${layer.name}: ${sizeOf(layer)}`})), String(chosen), 'Layer', (value) => pick(Number(value)));
  const list = h('ul.modules', {}, [...treeOf(run).inside.values()].map((branch) => entry(branch, '', chosen, pick)));
  const search = h('input', {type: 'search', placeholder: 'find a layer', 'aria-label': 'Find a layer',
    oninput: (/** @type {Event} */ event) => filter(list, /** @type {HTMLInputElement} */ (event.target).value.trim().toLowerCase())});
  const layer = run.layers[chosen - 1];
  return h('details.layer-tree', {id: 'layer-tree', onkeydown: (/** @type {KeyboardEvent} */ event) => {
    if (event.key === 'Escape') /** @type {HTMLDetailsElement} */ (event.currentTarget).open = false;
  }}, h('summary', {'aria-label': `Layer ${layer.name}, one of ${run.layers.length}`}, layer.name), h('div.menu', {}, search, list));
}
