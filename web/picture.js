// A picture of one's own, fitted as the data set's images are: to their size, with their colours, on their ground.

import {imageUrl} from './api.js';
import {h} from './dom.js';

/** @import {Dataset, RunSummary} from './types.js' */

const LOOKED_AT = 16; // training images whose corners tell the ground
const FAR = 160; // as far apart two grounds are opposite

/** The middle one, or what lies between the two. @param {number[]} values */
function median(values) {
  const sorted = values.sort((a, b) => a - b), half = sorted.length >> 1;
  return sorted.length % 2 ? sorted[half] : ((sorted[half - 1] ?? 0) + (sorted[half] ?? 0)) / 2;
}

/** @param {number} width @param {number} height */
function context(width, height) {
  return /** @type {CanvasRenderingContext2D} */ (h('canvas', {width, height}).getContext('2d', {willReadFrequently: true}));
}

/** The mean grey of every corner of an image of width x height. @param {Uint8ClampedArray} data RGBA @param {number} width @param {number} height */
function corners(data, width, height) {
  return [0, width - 1, width * (height - 1), width * height - 1].map((at) => (data[4 * at] + data[4 * at + 1] + data[4 * at + 2]) / 3);
}

/** The pixels of a stored sample, RGBA. @param {string} run @param {number} sample @param {Dataset} dataset */
export async function samplePixels(run, sample, {width, height}) {
  const image = new Image();
  image.src = imageUrl(run, sample, 1);
  await image.decode();
  const canvas = context(width, height);
  canvas.drawImage(image, 0, 0);
  return canvas.getImageData(0, 0, width, height).data;
}

/** @type {Map<string, Promise<number>>} */
const grounds = new Map();

/** The grey that training images stand on: the median of their corners. @param {RunSummary} run @returns {Promise<number>} */
export function groundOf(run) {
  const [dataset] = run.datasets, {first_sample: first, samples} = dataset.splits.train;
  const look = async () => {
    const n = Math.min(LOOKED_AT, samples), found = [];
    for (let i = 0; i < n; i++)
      found.push(...corners(await samplePixels(run.id, first + Math.floor(i * samples / n), dataset), dataset.width, dataset.height));
    return median(found);
  };
  if (!grounds.has(run.id)) grounds.set(run.id, look().catch(() => 0));
  return /** @type {Promise<number>} */ (grounds.get(run.id));
}

/** RGBA as the run's own numbers: planes of its channels. @param {Uint8ClampedArray} data @param {Dataset} dataset */
export function planes(data, {width, height, channels}) {
  const area = width * height, pixels = new Float32Array(area * channels);
  for (let i = 0; i < area; i++) {
    const [red, green, blue] = data.subarray(4 * i, 4 * i + 3);
    if (channels === 1) pixels[i] = red === green && green === blue ? red : 0.299 * red + 0.587 * green + 0.114 * blue;
    else pixels[i] = red, pixels[area + i] = green, pixels[2 * area + i] = blue;
  }
  return pixels;
}

/** Shrinks by the mean of the area that each pixel covers. @param {Uint8ClampedArray} from RGBA @param {number} fromWidth
 *  @param {number} fromHeight @param {number} width @param {number} height */
export function shrink(from, fromWidth, fromHeight, width, height) {
  const to = new Uint8ClampedArray(4 * width * height);
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++) {
      const sum = [0, 0, 0], left = x * fromWidth / width, right = (x + 1) * fromWidth / width;
      const top = y * fromHeight / height, bottom = (y + 1) * fromHeight / height;
      let all = 0;
      for (let v = Math.floor(top); v < Math.ceil(bottom); v++)
        for (let u = Math.floor(left); u < Math.ceil(right); u++) {
          const part = (Math.min(bottom, v + 1) - Math.max(top, v)) * (Math.min(right, u + 1) - Math.max(left, u));
          const at = 4 * (Math.min(v, fromHeight - 1) * fromWidth + Math.min(u, fromWidth - 1));
          for (let c = 0; c < 3; c++) sum[c] += part * from[at + c];
          all += part;
        }
      for (let c = 0; c < 3; c++) to[4 * (y * width + x) + c] = Math.round(sum[c] / all);
      to[4 * (y * width + x) + 3] = 255;
    }
  return to;
}

const SIDE_MAX = 2048; // the browser shrinks larger ones to this first

/**
 * A file as the run's own numbers. What is transparent is laid on the ground; a grey picture whose ground is the opposite of
 * the training images' is turned round.
 * @param {Blob} file @param {RunSummary} run
 * @returns {Promise<{pixels: Float32Array, inverted: boolean}>}
 */
export async function fitPicture(file, run) {
  const [dataset] = run.datasets, {width, height, channels} = dataset;
  const bitmap = await createImageBitmap(file), ground = await groundOf(run);
  const scale = Math.min(1, SIDE_MAX / Math.max(bitmap.width, bitmap.height));
  const w = Math.max(1, Math.round(bitmap.width * scale)), tall = Math.max(1, Math.round(bitmap.height * scale));
  const canvas = context(w, tall);
  canvas.fillStyle = `rgb(${ground}, ${ground}, ${ground})`;
  canvas.fillRect(0, 0, w, tall);
  canvas.imageSmoothingQuality = 'high';
  canvas.drawImage(bitmap, 0, 0, w, tall);
  const whole = canvas.getImageData(0, 0, w, tall).data;
  const pixels = planes(w === width && tall === height ? whole : shrink(whole, w, tall, width, height), dataset);
  const inverted = channels === 1 && Math.abs(median(corners(whole, w, tall)) - ground) > FAR;
  return {pixels: inverted ? pixels.map((value) => 255 - value) : pixels, inverted};
}

/** Paints planes of bytes on a canvas of the image's own size. @param {HTMLCanvasElement} canvas @param {ArrayLike<number>} pixels */
export function paint(canvas, pixels) {
  const area = canvas.width * canvas.height, plane = pixels.length === area ? 0 : area;
  const to = /** @type {CanvasRenderingContext2D} */ (canvas.getContext('2d')), image = to.createImageData(canvas.width, canvas.height);
  for (let i = 0; i < area; i++) image.data.set([pixels[i], pixels[i + plane], pixels[i + 2 * plane], 255], 4 * i);
  to.putImageData(image, 0, 0);
}
