// Handing a view on: its link, the whole view as one file, and the card that a link shows.

import {byId, h} from '../dom.js';
import {saveView} from '../save.js';
import {save} from '../take.js';

/** The link of the view, with the section that is at the top of the window, if it is not the first. @param {string[]} sections their ids, from the top */
function linkTo(sections) {
  const here = scrollY === 0 ? undefined : sections.filter((id) => byId(id).offsetHeight > 0 && byId(id).getBoundingClientRect().top < innerHeight / 3).pop();
  return location.href.replace(/#.*/, '') + (here === undefined ? '' : `#${here}`);
}

/** @param {string[]} sections ids of what a link can lead to, from the top
 *  @param {{path: string, body?: Record<string, any>}|null} card what gives the card of this view, if there is one
 *  @param {string} name of the card's file */
export function openShare(sections, card, name) {
  const link = h('input', {type: 'text', readOnly: true, value: linkTo(sections), 'aria-label': 'Link to this view', id: 'share-link', onfocus: () => link.select()});
  const told = h('p.soft', {role: 'status'});
  const dialog = h('dialog.share', {'aria-label': 'Share this view', onclose: () => dialog.remove()},
    h('div.dialog-head', {}, h('h2', {}, 'Share this view'), h('button.quiet', {type: 'button', 'aria-label': 'Close', onclick: () => dialog.close()}, '\u00d7')),
    h('p', {}, 'The link opens this very view wherever the same run file is served.'),
    h('div.link', {}, link, h('button', {type: 'button', id: 'share-copy', onclick: async () => {
      try {
        await navigator.clipboard.writeText(link.value);
        told.textContent = 'Link copied.';
      } catch {
        link.focus();
        told.textContent = 'The browser does not let this page copy: copy the link, which is selected.';
      }
    }}, 'Copy link')),
    h('p', {}, 'Or as a file, for whoever has no server: the page as it is now, with its numbers, pictures and charts.'),
    h('div.buttons', {}, h('button', {type: 'button', id: 'share-save', onclick: async () => {
      try {
        await saveView();
        told.textContent = 'Saved among your downloads.';
      } catch (error) {
        told.textContent = `The view cannot be saved: ${/** @type {Error} */ (error).message}`;
      }
    }}, 'Save this view'), card && save('Card to share (PNG)', name, card, (text) => {
      told.textContent = text;
    })), told);
  document.body.append(dialog);
  dialog.showModal();
  link.select();
}
