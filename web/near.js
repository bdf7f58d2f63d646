// What is far down the page is asked for when somebody comes near it.

import {byId} from './dom.js';
import {notify} from './views/notices.js';

/** @import {Context} from './panels.js' */

const MARGIN = '600px 0px';

/** Resolves once an element is in sight, or nearly. @param {Element} element @param {AbortSignal} signal after which nobody waits any more
 *  @returns {Promise<void>} */
export function near(element, signal) {
  return new Promise((resolve) => {
    const observer = new IntersectionObserver((entries) => {
      if (!entries.some(({isIntersecting}) => isIntersecting)) return;
      observer.disconnect();
      resolve();
    }, {rootMargin: MARGIN});
    observer.observe(element);
    signal.addEventListener('abort', () => observer.disconnect());
  });
}

/** The panels, which are loaded with their charts. @param {Context} context */
export async function showPanelsWhenNear(context) {
  const {signal} = context;
  await near(byId('panels'), signal);
  try {
    const {showPanels} = await import('./later.js');
    if (signal.aborted) return;
    await showPanels(context);
    if (!signal.aborted) document.body.dataset.panels = 'ready';
  } catch (error) {
    if (!signal.aborted) notify(`Some panels are missing: ${/** @type {Error} */ (error).message}`);
  }
}
