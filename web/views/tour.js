// A tour of five steps, for the first visit: its step is in the address, and it can be left at any time.

import {byId, h, redraw} from '../dom.js';
import {noun, nounOfOne} from '../format.js';

/** @import {Actions, Run} from '../types.js' */
/** @import {State} from '../state.js' */

/** @param {Run} run @returns {Array<{at: string, title: string, text: string}>} */
function steps(run) {
  const one = noun(run), some = run.kind === 'text' ? 'passages' : `training ${one}s`;
  return [
    {at: 'answer', title: 'The answer', text: `What the network says, and where each of its scores comes from: an initial guess (grey), and what training added. Training is nothing but the ${some} it was shown: so the answer is a sum over them.`},
    {at: 'strips', title: 'What argued for it, and what against', text: `Whose part in that sum is largest? First who the network looks at, then who argues for its answer and who against. ${run.kind === 'text' ? 'A click asks about a place.' : 'A click on one tells why, pixel by pixel.'}`},
    {at: run.dual ? 'missed' : 'strips', title: 'If it had not seen them', text: run.dual ? `What would it say, had it never seen them? Here that is estimated; walk back through the training for more, or really train again without them.` : 'This run records attention only; of runs with error signals this tells whom the answer would miss.'},
    {at: 'spotlight', title: 'The spotlight', text: `Everything it looks at, by any layer and any score, lit as brightly as it stands out. Below it: over time, by class, on a map, and more.`},
    {at: 'samples', title: 'Your turn', text: `${run.kind === 'text' ? 'Click any token, or type a text of your own.' : `Pick ${nounOfOne(run)}${run.recorded ? '' : ', or draw one'}: those it got wrong are the most telling.`} Every view is in the address: share it. “?” explains every word, and has this tour.`},
  ];
}

/** The step that is shown, and of which run: to it was scrolled. */
let shown = '';

/** Shows the step of the tour that the address says, or none. @param {Run} run @param {State} state @param {Actions} actions */
export function showTour(run, state, actions) {
  const place = byId('tour'), number = state.view === 'query' && state.with === null ? state.tour : null;
  for (const lit of document.querySelectorAll('.toured')) lit.classList.remove('toured');
  place.hidden = number === null;
  if (number === null) {
    redraw(place);
    shown = '';
    return;
  }
  const all = steps(run), {at, title, text} = all[number - 1], go = (/** @type {number|null} */ tour) => actions.choose({tour});
  byId(at).classList.add('toured');
  redraw(place, h('p.soft', {}, `${number} of ${all.length}`), h('h2', {id: 'tour-title'}, title), h('p', {}, text),
    h('div.steps', {}, number > 1 ? h('button', {type: 'button', id: 'tour-back', onclick: () => go(number - 1)}, '‹ back') : null,
      number < all.length ? h('button.primary', {type: 'button', id: 'tour-next', onclick: () => go(number + 1)}, 'next step ›') :
        h('button.primary', {type: 'button', id: 'tour-next', onclick: () => go(null)}, 'Done'),
      number < all.length ? h('button.quiet', {type: 'button', id: 'tour-skip', onclick: () => go(null)}, 'skip') :
        h('button.quiet', {type: 'button', id: 'tour-how', onclick: () => actions.choose({view: 'how', with: null, tour: null})}, 'How it works ›')));
  if (shown !== `${run.id} ${number}`) byId(at).scrollIntoView({block: number === 1 || at === 'samples' ? 'nearest' : 'start'});
  shown = `${run.id} ${number}`;
}
