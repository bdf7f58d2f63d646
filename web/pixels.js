// A picture of one's own in an address, base64url: a drawing has sixteen greys a pixel, two to the byte; a picture that was
// fitted a byte for every number. Which it is its length tells.

/** Pictures of more numbers than this would make addresses that do not travel well: they stay in this tab. */
export const IN_LINK_MAX = 12288;

/** What the server takes as a question's body. */
const NUMBERS_MAX = 200000;

/** Larger pads cannot be drawn on by hand. */
const PAD_MAX = 4096;

/** @param {string} bytes @returns {string} */
function encode(bytes) {
  return btoa(bytes).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
}

/** @param {ArrayLike<number>} pixels bytes; sixteen greys are kept of them @returns {string} */
export function encodeDrawing(pixels) {
  let bytes = '';
  for (let i = 0; i < pixels.length; i += 2)
    bytes += String.fromCharCode(Math.round(pixels[i] / 17) << 4 | Math.round((pixels[i + 1] ?? 0) / 17));
  return encode(bytes);
}

/** @param {ArrayLike<number>} pixels bytes @returns {string} */
export function encodePicture(pixels) {
  let bytes = '';
  for (let i = 0; i < pixels.length; i++) bytes += String.fromCharCode(Math.round(pixels[i]));
  return encode(bytes);
}

/** Letters of so many bytes. @param {number} bytes */
const lettersOf = (bytes) => Math.ceil(bytes * 4 / 3);

/** Whether a text holds a drawing of n numbers, not a picture. @param {string} text @param {number} n */
export function isDrawing(text, n) {
  return text.length === lettersOf(Math.ceil(n / 2));
}

/** @param {string} text @param {number} n numbers @returns {number[]|undefined} bytes; undefined: no picture of n */
export function decodePixels(text, n) {
  const sixteen = isDrawing(text, n);
  if (!/^[\w-]*$/.test(text) || (!sixteen && text.length !== lettersOf(n))) return undefined;
  let bytes;
  try {
    bytes = atob(text.replaceAll('-', '+').replaceAll('_', '/'));
  } catch {
    return undefined;
  }
  return Array.from({length: n}, (_, i) => sixteen ? 17 * (bytes.charCodeAt(i >> 1) >> (i % 2 ? 0 : 4) & 15) : bytes.charCodeAt(i));
}

/** Whether a run can be asked about pictures of one's own. @param {import('./types.js').RunSummary} run */
export function takesPictures(run) {
  return run.kind === 'images' && !run.recorded && run.layers[0].inputs <= NUMBERS_MAX;
}

/** Whether they can be drawn by hand, too. @param {import('./types.js').RunSummary} run */
export function canDraw(run) {
  const {width, height, channels} = run.datasets[0];
  return takesPictures(run) && channels === 1 && width * height <= PAD_MAX;
}
