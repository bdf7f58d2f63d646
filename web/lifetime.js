// What lives as long as its element stands on the page: charts, observers, listeners elsewhere.

/** @type {WeakMap<Element, Array<() => void>>} */
const ends = new WeakMap();

/** Calls end when the element is taken off the page by release. @param {Element} element @param {() => void} end */
export function whenGone(element, end) {
  element.setAttribute('data-lives', '');
  ends.set(element, [...(ends.get(element) ?? []), end]);
}

/** Ends everything that lives in a place, which is about to be drawn anew. @param {Element} place */
export function release(place) {
  for (const element of place.querySelectorAll('[data-lives]')) {
    for (const end of ends.get(element) ?? []) end();
    ends.delete(element);
  }
}

/** @type {Set<() => void>} */
const listeners = new Set();
new MutationObserver(() => listeners.forEach((draw) => draw()))
  .observe(document.documentElement, {attributeFilter: ['data-theme']});

/** Draws anew in the colours of another theme, as long as the element lives. @param {Element} element @param {() => void} draw */
export function onTheme(element, draw) {
  listeners.add(draw);
  whenGone(element, () => listeners.delete(draw));
}
