// What of a run is damaged or missing: said above everything, for as long as it is shown.

import {byId} from '../dom.js';
import {percent} from '../format.js';

/** @import {RunSummary} from '../types.js' */

/** @param {RunSummary} run */
const damage = ({damaged = []}) => !damaged.length ? '' :
  `Part of this run is damaged: ${damaged.map(({layer, what}) => `layer ${layer} (${what})`).join(', ')}. ` +
  'What needs it is refused; all else is as it was written. Restore the file from a copy, or train it again.';

/** @param {RunSummary} run */
const absence = ({shards}) => !shards?.missing.length ? '' :
  `Part of this run’s history is not here: of its shards 0 to ${shards.count - 1}, ${shards.missing.join(', ')} ` +
  `${shards.missing.length > 1 ? 'are' : 'is'} missing. All that you see is from ${percent(shards.history_share)} of its history. ` +
  'Put them beside the others, and start the server again.';

/** @param {RunSummary} run */
export function showDamage(run) {
  const place = byId('damaged');
  place.textContent = [absence(run), damage(run)].filter(Boolean).join(' ');
  place.hidden = !place.textContent;
}
