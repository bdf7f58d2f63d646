// The places at which a layer sees a picture: patches of a convolution, or rows that follow each other.

/** @import {Layer, RunSummary} from './types.js' */

/** How many places a convolution has down and to the right. @param {NonNullable<Layer['convolution']>} cut @returns {[number, number]} */
function steps({size, kernel, stride, padding, dilation}) {
  const along = (/** @type {number} */ d) => Math.floor((size[d] + 2 * padding[d] - dilation[d] * (kernel[d] - 1) - 1) / stride[d]) + 1;
  return [along(0), along(1)];
}

/** The places of a layer as a grid: rows and columns. @param {Layer} layer @returns {[number, number]} */
export function grid(layer) {
  return layer.convolution ? steps(layer.convolution) : [1, layer.places];
}

/** Where a place's patch lies on the map that a convolution reads, in shares of its width and height; null: it is no patch.
 *  @param {Layer} layer @param {number} place */
export function patch({convolution: cut}, place) {
  if (!cut) return null;
  const [, columns] = steps(cut), at = [Math.floor(place / columns), place % columns];
  const [top, left] = [0, 1].map((d) => Math.max(0, at[d] * cut.stride[d] - cut.padding[d]) / cut.size[d]);
  const [bottom, right] = [0, 1].map((d) => Math.min(cut.size[d], at[d] * cut.stride[d] - cut.padding[d] + cut.dilation[d] * (cut.kernel[d] - 1) + 1) / cut.size[d]);
  return {top, left, height: bottom - top, width: right - left};
}

/** A box for a patch over a square frame in which a picture of width x height is fitted, as a style; null: there is none.
 *  @param {Layer} layer @param {number|undefined} place @param {{width: number, height: number}} picture */
export function boxStyle(layer, place, {width, height}) {
  const box = place === undefined ? null : patch(layer, place);
  if (!box) return null;
  const side = Math.max(width, height), wide = width / side, high = height / side;
  const percent = (/** @type {number} */ share) => `${(100 * share).toFixed(2)}%`;
  return {left: percent((1 - wide) / 2 + wide * box.left), top: percent((1 - high) / 2 + high * box.top),
    width: percent(wide * box.width), height: percent(high * box.height)};
}

/** Where the grid of all places lies over a square picture, each place around the middle of its patch, as a style. @param {Layer} layer */
export function gridStyle({convolution: cut}) {
  if (!cut) return null;
  const percent = (/** @type {number} */ share) => `${(100 * share).toFixed(2)}%`;
  const [rows, columns] = steps(cut);
  const from = (/** @type {number} */ d) => ((cut.dilation[d] * (cut.kernel[d] - 1) + 1 - cut.stride[d]) / 2 - cut.padding[d]) / cut.size[d];
  return {left: percent(from(1)), top: percent(from(0)), width: percent(columns * cut.stride[1] / cut.size[1]), height: percent(rows * cut.stride[0] / cut.size[0])};
}

/** What a place is called. @param {Layer} layer @param {number} place */
export function placeName(layer, place) {
  const [rows, columns] = grid(layer);
  return rows > 1 && columns > 1 ? `row ${Math.floor(place / columns) + 1}, column ${place % columns + 1}` : `place ${place + 1}`;
}
