// Why one training image adds what it does: the arithmetic of its contribution, showing by showing, and both pictures.

import {askAll} from '../api.js';
import {biasOf, className, count, fixed, noun, outputName, sampleName, short, signed} from '../format.js';
import {h} from '../dom.js';
import {picture} from './answer.js';
import {depictWhole} from '../depict.js';

/** @import {Actions, Card, Part, Run, Subject} from '../types.js' */
/** @import {State} from '../state.js' */

/** The products of two images, pixel by pixel: what they share, and where they differ.
 *  @param {Run} run @param {string} dataset @param {number[]} products */
function productPicture(run, dataset, products) {
  const {width, height, channels} = run.datasets.find(({name}) => name === dataset) ?? run.datasets[0];
  const canvas = h('canvas.products', {width, height, role: 'img', 'aria-label': 'Products of both images, pixel by pixel'});
  const style = getComputedStyle(document.documentElement), area = width * height;
  const colours = ['--minus', '--plus'].map((name) => /** @type {number[]} */ (
    (style.getPropertyValue(name).trim().match(/[\da-f]{2}/gi) ?? []).map((two) => parseInt(two, 16))));
  const sums = Array.from({length: area}, (_, p) => {
    let sum = 0;
    for (let c = 0; c < channels; c++) sum += products[c * area + p];
    return sum;
  });
  const most = Math.max(...sums.map(Math.abs), 1e-30);
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext('2d'));
  const image = context.createImageData(width, height);
  sums.forEach((sum, p) => image.data.set([...colours[Number(sum > 0)], Math.round(255 * Math.sqrt(Math.abs(sum) / most))], 4 * p));
  context.putImageData(image, 0, 0);
  return canvas;
}

/** @param {Run} run @param {Part} part @param {string} name of the output */
function arithmetic(run, part, name) {
  const bias = biasOf(run), showings = part.showings ?? [], total = showings.reduce((sum, one) => sum + one.contribution, 0);
  return h('div.scroll', {tabIndex: 0, role: 'region', 'aria-label': 'Every showing'}, h('table.showings', {},
    h('caption.hidden', {}, `What every showing adds to ${name}`),
    h('thead', {}, h('tr', {}, [['step', 'It was shown at this step'], [bias ? 'attention + 1' : 'attention', `How much its key meets this one’s${bias ? '; the 1 is the bias' : ''}`],
      ['\u00d7 error', `How the network’s answer for it was to change at ${name}: its error signal`],
      ['\u00d7 weight', 'What that step’s update still weighs: learning rate, momentum, decay; after Adam, which has a weight for every number, of all of them together'], ['= adds', '']].map(([text, title]) =>
      h('th.number', {scope: 'col', title}, text)))),
    h('tbody', {}, showings.map((one) => h('tr', {}, h('td.number', {}, count(one.step)), h('td.number', {}, fixed(one.attention + bias, 2)),
      h('td.number', {}, short(one.error)), h('td.number', {}, short(one.coefficient)),
      h(one.contribution < 0 ? 'td.number.minus' : 'td.number.plus', {}, signed(one.contribution))))),
    h('tfoot', {}, h('tr', {}, h('th', {scope: 'row', colSpan: 4}, `together (${showings.length === 1 ? 'one showing' : `${count(showings.length)} showings`})`),
      h(total < 0 ? 'td.number.minus' : 'td.number.plus', {id: 'why-total', 'data-value': total}, signed(total))))));
}

/** Opens the explanation of one card. @param {Run} run @param {State} state @param {Subject} subject
 *  @param {number[]|null} pixels @param {Card} lit @param {number} output @param {Actions} actions */
export async function openWhy(run, state, subject, pixels, lit, output, actions) {
  const {sample} = lit, label = className(run, sample.dataset, sample.label), name = outputName(run, output);
  const body = h('div.why-body', {}, h('p.soft', {}, 'One moment\u2026'));
  const close = (/** @type {() => void} */ then) => () => {
    dialog.close();
    then();
  };
  const dialog = h('dialog.why-dialog', {'aria-labelledby': 'why-title', onclose: () => dialog.remove()},
    h('div.dialog-head', {}, h('h2', {id: 'why-title'}, `Why does this ${label} ${lit.contribution < 0 ? 'take from' : 'add to'} ${name}?`),
      h('button.quiet', {type: 'button', 'aria-label': 'Close', onclick: () => dialog.close()}, '\u00d7')), body);
  document.body.append(dialog);
  dialog.showModal();
  const part = await askAll(['why'], {...state, rank: `logit:${output}`, training: sample.id}, pixels, new AbortController().signal)
    .catch((/** @type {Error} */ error) => error);
  if (part instanceof Error) {
    body.replaceChildren(h('p', {}, part.message));
    return;
  }
  const sum = /** @type {number[]} */ (part.products ?? []).reduce((total, one) => total + one, 0);
  body.replaceChildren(
    h('div.pair-of-images', {},
      h('figure', {}, picture(run, subject), h('figcaption', {}, `this ${noun(run)}`, h('span.soft', {}, 'pixels' in subject ? 'your picture' : sampleName(subject)))),
      h('figure', {}, depictWhole(run.id, sample, `training ${noun(run)} ${sample.index}, ${label}`),
        h('figcaption', {}, `a training ${label}`, h('span.soft', {}, sample.path ?? sampleName(sample)))),
      part.products ? h('figure', {}, productPicture(run, sample.dataset, part.products),
        h('figcaption', {}, 'their product', h('span.soft', {}, `orange pulls together, blue apart; sum ${short(sum)}: what layer 1 attends`))) : null),
    h('p', {}, 'Each time it was shown, the last layer stored its key with an error signal: how the answer for it was to change. ',
      `Asked now, this ${noun(run)}’s key meets the stored one (attention in the last layer${biasOf(run) ? ', and 1 for the bias' : ''}), and gets as much of that change back:`),
    arithmetic(run, part, name),
    h('div.buttons', {},
      h('button', {type: 'button', id: 'why-explain', onclick: close(() => actions.explain(sample.id))}, `Ask about that ${noun(run)}`),
      h('button', {type: 'button', id: 'why-remove', onclick: close(() => actions.remove(`sample:${sample.id}`))}, 'Without it?')));
}
