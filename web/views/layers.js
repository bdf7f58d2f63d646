// The same query at all layers at once: small multiples.

import {csvButton} from '../csv.js';
import {h, redraw} from '../dom.js';
import {className, noun, numberedClass, percent, short, subjectFile} from '../format.js';
import {above, light} from '../scale.js';
import {sizeOf} from './layer_choice.js';
import {depict} from '../depict.js';

/** @import {Actions, Answer, Run, Subject} from '../types.js' */

/** How many images a layer shows. */
export const LAYER_TOP = 5;

/** @param {Run} run @param {Answer} answer of one layer @param {Answer} chosen @param {Actions} actions */
function multiple(run, answer, chosen, actions) {
  const most = Math.max(...answer.by_class.map((total) => total.sum_abs), 1e-30);
  const all = answer.by_class.reduce((sum, total) => sum + total.sum_abs, 0) || 1;
  const vote = answer.by_class.findIndex((total) => total.sum_abs === most);
  return h('div.multiple', {'data-layer': answer.layer},
    h('button.layer-name', {type: 'button', id: `multiple-${answer.layer}`,
      'aria-pressed': String(answer.layer === chosen.layer), title: `Show layer ${answer.layer}`,
      onclick: () => actions.choose({layer: answer.layer === run.layers.length ? null : answer.layer})},
    run.recorded ? run.layers[answer.layer - 1].name : `Layer ${answer.layer}`, h('span.soft', {}, ` ${sizeOf(run.layers[answer.layer - 1])}`)),
    h('div.strip', {}, answer.spotlight.map((lit) => h('button.mini', {type: 'button',
      'aria-label': `${className(run, lit.sample.dataset, lit.sample.label)}, training ${noun(run)} ${lit.sample.index}. Ask about it.`,
      title: `${className(run, lit.sample.dataset, lit.sample.label)} #${lit.sample.index}, score ${short(lit.score)}`,
      style: {'--light': light(above(answer.scores, lit.score)).toFixed(3)}, onclick: () => actions.explain(lit.sample.id)},
    depict(run.id, lit.sample, 2)))),
    h('div.bars', {role: 'img', 'aria-label': `Total attention by class; most to ${numberedClass(run, vote)}`},
      answer.by_class.map((total, number) => h('i', {'data-class': total.label % 10,
        title: `${numberedClass(run, number)} ${percent(total.sum_abs / all)}`,
        style: {height: `${100 * total.sum_abs / most}%`}}))),
    h('p.soft', {}, 'votes ', h('strong', {}, numberedClass(run, Math.max(vote, 0)))));
}

/** @param {HTMLElement} section @param {Run} run @param {Answer} chosen @param {Answer[]} answers one per layer
 *  @param {Subject} subject @param {Actions} actions */
export function showLayers(section, run, chosen, answers, subject, actions) {
  const rows = () => answers.flatMap((answer) => answer.by_class.map((total, number) => [answer.layer, total.dataset,
    numberedClass(run, number), total.sum_abs, total.sum_positive, total.sum_negative]));
  redraw(section,
    h('div.head', {}, h('h2', {}, 'All layers'),
      csvButton(`layers-${subjectFile(subject)}`, 'the totals of all layers',
        ['layer', 'dataset', 'class', 'sum_abs', 'sum_positive', 'sum_negative'], rows)),
    h('p.soft', {}, 'The first of each layer’s spotlight, and its |attention| by training class.'),
    h('div.multiples', {}, answers.map((answer) => multiple(run, answer, chosen, actions))));
}
