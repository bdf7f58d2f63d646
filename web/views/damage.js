// What of a run is damaged: said above everything, for as long as it is shown.

import {byId} from '../dom.js';

/** @import {RunSummary} from '../types.js' */

/** @param {RunSummary} run */
export function showDamage(run) {
  const damaged = run.damaged ?? [], place = byId('damaged');
  place.hidden = !damaged.length;
  place.textContent = damaged.length ? `Part of this run is damaged: ${damaged.map(({layer, what}) => `layer ${layer} (${what})`).join(', ')}. ` +
    'What needs it is refused; all else is as it was written. Restore the file from a copy, or train it again.' : '';
}
