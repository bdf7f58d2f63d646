// What is taken for what: a matrix whose cells choose the samples of the gallery.

import {getConfusions} from '../api.js';
import {count, outputName, percent} from '../format.js';
import {h} from '../dom.js';

/** @import {Actions, Run} from '../types.js' */
/** @import {State} from '../state.js' */

const MOST = 40; // classes that a matrix is legible with; of more the pairs are listed
const LISTED = 60;
const SHORT = 3; // letters of a name that fits above its column

/** The filters that a cell stands for. @param {Run} run @param {number} target @param {number|null} predicted */
function filtersOf(run, target, predicted) {
  const own = run.datasets.filter(({first_output: first, classes}) => target >= (first ?? 0) && target < (first ?? 0) + classes.length);
  const [dataset] = own;
  return {label: target - (dataset?.first_output ?? 0), predicted, correct: null, vote: null, name: null, ...(run.heads === 'separate' && dataset ? {dataset: dataset.name} : {})};
}

/** @param {Run} run @param {Map<string, number>} cells @param {(target: number, predicted: number|null) => void} choose */
function matrix(run, cells, choose) {
  const outputs = run.outputs.map((_, i) => i), at = (/** @type {number} */ target, /** @type {number} */ predicted) => cells.get(`${target} ${predicted}`) ?? 0;
  const wrong = Math.max(1, ...outputs.flatMap((t) => outputs.map((p) => t === p ? 0 : at(t, p))));
  const turned = outputs.some((p) => outputName(run, p).length > SHORT) ? '.turned' : '';
  return h('div.scroll', {tabIndex: 0, role: 'region', 'aria-label': 'Confusion matrix'}, h(`table.confusion${turned}`, {},
    h('caption.hidden', {}, 'Rows: the label; columns: what it is called'),
    h('thead', {}, h('tr', {}, h('td', {}, h('span.soft', {}, 'label \\ called')), outputs.map((p) => h('th', {scope: 'col'}, h('span', {}, outputName(run, p)))),
      h('th.number', {scope: 'col'}, 'right'))),
    h('tbody', {}, outputs.map((t) => {
      const all = outputs.reduce((sum, p) => sum + at(t, p), 0);
      return h('tr', {}, h('th', {scope: 'row'}, outputName(run, t)), outputs.map((p) => {
        const n = at(t, p), name = `${count(n)} labelled ${outputName(run, t)}, called ${outputName(run, p)}`;
        return h('td', {className: t === p ? 'right' : ''}, n === 0 ? null : h('button', {type: 'button', 'data-target': t, 'data-predicted': p, title: name, 'aria-label': `${name}: show them`,
          style: {'--share': String(t === p ? 0 : Math.sqrt(n / wrong))}, onclick: () => choose(t, p)}, count(n)));
      }), h('td.number', {}, all ? percent(at(t, t) / all) : ''));
    }))));
}

/** The most frequent confusions, where there are too many classes for a matrix. @param {Run} run
 *  @param {import('../types.js').Confusion[]} confusions @param {(target: number, predicted: number|null) => void} choose */
function list(run, confusions, choose) {
  const wrong = confusions.filter(({target, predicted}) => target !== predicted).sort((a, b) => b.samples - a.samples);
  return [h('p.soft', {}, `The ${Math.min(LISTED, wrong.length)} most frequent of ${count(wrong.length)} pairs.`),
    h('ol.confusions', {}, wrong.slice(0, LISTED).map(({target, predicted, samples}) => h('li', {}, h('button.quiet', {type: 'button', 'data-target': target, 'data-predicted': predicted,
      onclick: () => choose(target, predicted)}, `${outputName(run, target)} called ${outputName(run, predicted)}: ${count(samples)}`))))];
}

/** @param {Run} run @param {State} state @param {Actions} actions */
export async function openConfusion(run, state, actions) {
  const body = h('div', {}, h('p.soft', {}, 'One moment…'));
  const dialog = h('dialog.confusion-dialog', {'aria-labelledby': 'confusion-title', onclose: () => dialog.remove()},
    h('div.dialog-head', {}, h('h2', {id: 'confusion-title'}, `What is called what, ${state.split} split`),
      h('button.quiet', {type: 'button', 'aria-label': 'Close', onclick: () => dialog.close()}, '\u00d7')), body);
  document.body.append(dialog);
  dialog.showModal();
  const choose = (/** @type {number} */ target, /** @type {number|null} */ predicted) => {
    dialog.close();
    actions.choose({...filtersOf(run, target, predicted), split: state.split});
  };
  try {
    const confusions = await getConfusions(run.id, state.split, state.dataset);
    const cells = new Map(confusions.map(({target, predicted, samples}) => [`${target} ${predicted}`, samples]));
    body.replaceChildren(h('p.soft', {}, 'A click shows the samples.'),
      ...run.outputs.length <= MOST ? [matrix(run, cells, choose)] : list(run, confusions, choose));
  } catch (error) {
    body.replaceChildren(h('p', {role: 'alert'}, /** @type {Error} */ (error).message));
  }
}
