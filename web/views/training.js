// A run in training: what is shown is as of its last checkpoint, and that is said; a later one is offered, never forced on anybody.

import {byId, h, redraw} from '../dom.js';
import {count, percent} from '../format.js';

/** @import {RunSummary} from '../types.js' */

const EVERY_MS = 3000;

let timer = 0;

/** What is said of it, above everything. @param {RunSummary} run what is shown @param {RunSummary|null} latest what there is to be shown, if that is later
 *  @param {() => void} show shows it */
function say(run, latest, show) {
  const {planned_steps: planned, is_written: goesOn} = /** @type {NonNullable<RunSummary['unfinished']>} */ (latest?.unfinished ?? run.unfinished);
  const isDone = latest !== null && !latest.unfinished, steps = latest?.steps ?? run.steps;
  redraw(byId('training'),
    planned ? h('progress', {max: planned, value: steps, 'aria-label': 'How far the training is'}) : null,
    h('span', {}, isDone ? 'The training is done. ' : goesOn ? 'In training. ' : 'The training was cut off. ',
      `What you see is the network after step ${count(run.steps)}${planned ? ` of ${count(planned)} (${percent(run.steps / planned, 0)})` : ''}.`),
    isDone ? h('button.primary', {type: 'button', id: 'show-finished', onclick: show}, 'Show the finished run') :
      latest && latest.steps > run.steps ? h('button.primary', {type: 'button', id: 'show-later', onclick: show}, `Show step ${count(latest.steps)}`) : null);
}

/** Tells of a run what is to be told, from now on. @param {RunSummary} run what is shown @param {object} actions
 *  @param {() => Promise<RunSummary[]>} actions.list @param {(runs: RunSummary[], latest: RunSummary) => void} actions.changed told of another list of runs, and which of them this one is now
 *  @param {() => void} actions.show shows that one */
export function followTraining(run, actions) {
  clearTimeout(timer);
  byId('training').hidden = !run.unfinished;
  if (!run.unfinished) return;
  say(run, null, actions.show);
  let known = run.unfinished.version + run.unfinished.is_written;
  const look = async () => {
    if (!document.hidden) {
      const runs = await actions.list().catch(() => null), latest = runs?.find(({id, birth}) => id === run.id || birth === run.birth);
      const version = latest?.unfinished ? latest.unfinished.version + latest.unfinished.is_written : latest?.id;
      if (runs && latest && version !== undefined && version !== known) {
        known = version;
        actions.changed(runs, latest);
        if (document.body.dataset.mode === 'runs') return; // which is drawn anew, and looks again
        say(run, latest, actions.show);
        if (!latest.unfinished) return;
      }
    }
    timer = window.setTimeout(look, EVERY_MS);
  };
  timer = window.setTimeout(look, EVERY_MS);
}
