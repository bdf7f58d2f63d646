// What is far down the page is asked for when somebody comes near it.

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
