// A drawing in an address: sixteen greys a pixel, two pixels a byte, base64url.

/** Drawings of more pixels than this would make addresses that do not travel well. */
export const PIXELS_MAX = 4096;

/** @param {ArrayLike<number>} pixels bytes @returns {string} */
export function encodePixels(pixels) {
  let bytes = '';
  for (let i = 0; i < pixels.length; i += 2)
    bytes += String.fromCharCode(Math.round(pixels[i] / 17) << 4 | Math.round((pixels[i + 1] ?? 0) / 17));
  return btoa(bytes).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
}

/** @param {string} text @param {number} n pixels @returns {number[]|undefined} bytes; undefined: no drawing of n */
export function decodePixels(text, n) {
  if (!/^[\w-]*$/.test(text) || text.length !== Math.ceil(Math.ceil(n / 2) * 4 / 3)) return undefined;
  let bytes;
  try {
    bytes = atob(text.replaceAll('-', '+').replaceAll('_', '/'));
  } catch {
    return undefined;
  }
  return Array.from({length: n}, (_, i) => 17 * (bytes.charCodeAt(i >> 1) >> (i % 2 ? 0 : 4) & 15));
}

/** Whether images of this run can be drawn. @param {import('./types.js').RunSummary} run */
export function canDraw(run) {
  const {width, height, channels} = run.datasets[0];
  return channels === 1 && width * height <= PIXELS_MAX;
}
