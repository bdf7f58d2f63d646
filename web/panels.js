// The panels under the spotlight: all that takes more than a glance, loaded after it.

import {attend} from './api.js';
import {byId} from './dom.js';
import {showCurves} from './views/curves.js';
import {LAYER_TOP, showLayers} from './views/layers.js';
import {showLearning} from './views/learning.js';
import {showMatrix} from './views/matrix.js';
import {showTime} from './views/time.js';
import {showTotals} from './views/totals.js';
import {showWall} from './views/wall.js';

/** @import {Actions, Answer, Panels, Run, Subject} from './types.js' */
/** @import {State} from './state.js' */

/** What decides the panels' numbers; the rest of the state only how they are shown. @param {State} state */
function question({run, sample, pixels, as, layer, rank, by}) {
  return JSON.stringify([run, sample, pixels, as, layer, rank, by]);
}

/** The last answers, so that another way to show them asks nothing. */
let known = {question: '', panels: /** @type {Panels|null} */ (null), layers: /** @type {Answer[]} */ ([])};

/** @param {Run} run @param {State} state @param {number[]|null} pixels @param {AbortSignal} signal */
async function load(run, state, pixels, signal) {
  if (known.question === question(state) && known.panels) return known;
  const plain = {...state, remove: null, class: null};
  const chosen = state.layer ?? run.layers.length; // the panels' answer is this layer's, too
  const layers = await Promise.all(run.layers.map(({layer}) => attend(plain, pixels, signal, {layer, k: LAYER_TOP,
    ...(layer === chosen && {views: 'curves,time,samples,learning'})})));
  known = {question: question(state), panels: layers[chosen - 1], layers};
  return known;
}

/** @param {Run} run @param {State} state @param {number[]|null} pixels @param {Subject} subject
 *  @param {AbortSignal} signal @param {Actions} actions */
export async function showPanels(run, state, pixels, subject, signal, actions) {
  const {panels, layers} = await load(run, state, pixels, signal);
  if (signal.aborted || !panels) return;
  showCurves(byId('curves'), run, panels, subject, actions);
  showTime(byId('time'), run, state, panels, subject, actions);
  showLearning(byId('learning'), run, panels, subject);
  showMatrix(byId('matrix'), run, state, panels, subject, actions);
  showLayers(byId('layers'), run, panels, layers, subject, actions);
  showTotals(byId('totals'), run, panels, subject, actions);
  showWall(byId('wall'), run, state, panels, subject, actions);
}
