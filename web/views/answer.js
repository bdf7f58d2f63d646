// The answer: the sample, what the network says, and each logit as initial guess plus correction.

import {csvButton} from '../csv.js';
import {className, fixed, outputName, percent, sampleName, signed, subjectFile} from '../format.js';
import {h, redraw} from '../dom.js';
import {paint} from '../picture.js';
import {filePath} from './path.js';
import {depictWhole} from '../depict.js';

/** @import {Answer, Run, Subject} from '../types.js' */
/** @import {Actions} from '../types.js' */

const PROBABILITIES = 4;

/** @param {Run} run @param {Answer} answer @param {Subject} subject */
export function verdict(run, answer, subject) {
  if ('pixels' in subject) return h('p.verdict', {}, h('span.soft', {}, run.datasets.length > 1 ?
    `your picture, as an image of ${answer.dataset}` : 'your picture'));
  const sample = subject;
  const label = className(run, sample.dataset, sample.label);
  const right = answer.predicted === sample.target;
  return h('p.verdict', {},
    right ? h('span', {}, 'and so it is labelled') : h('span', {}, 'it is labelled ', h('strong', {}, label)),
    sample.true_label === undefined ? null : h('span.flipped', {},
      `flipped on purpose: it was ${className(run, sample.dataset, sample.true_label)}`),
    h('span.soft', {}, sampleName(sample)),
    filePath(sample.path));
}

/** @param {Run} run @param {Answer} answer */
export function probabilities(run, answer) {
  const order = answer.probabilities.map((_, output) => output)
    .sort((a, b) => answer.probabilities[b] - answer.probabilities[a]).slice(0, PROBABILITIES);
  return h('ul.probabilities', {'aria-label': 'Probabilities'}, order.map((output) =>
    h('li', {}, h('span.name', {}, outputName(run, output)),
      h('span.track', {'aria-hidden': 'true'}, h(output === answer.predicted ? 'i.said' : 'i', {
        style: {width: `${100 * answer.probabilities[output]}%`}})),
      h('span.number', {}, percent(answer.probabilities[output], 1)))));
}

/** A bar from one value to another on a scale from low to high.
 *  @param {string} kind @param {number} from @param {number} to @param {number} low @param {number} high */
function bar(kind, from, to, low, high) {
  const left = (Math.min(from, to) - low) / (high - low);
  const width = Math.abs(to - from) / (high - low);
  return h(`i.${kind}`, {style: {left: `${100 * left}%`, width: `${100 * width}%`}});
}

/** @param {Run} run @param {Answer} answer @param {number|null} label the output that stands for the sample's label, if it has one */
export function logits(run, answer, label) {
  const dual = answer.exactness.dual, lacks = dual && answer.history_share; // what missing shards added
  const values = [...answer.logits, ...(dual ? answer.initial_guess : []), ...(lacks ? answer.initial_guess.map((guess, output) => guess + answer.correction[output]) : []), 0];
  const low = Math.min(...values), high = Math.max(...values, low + 1e-9);
  const zero = `${100 * -low / (high - low)}%`;
  return h(lacks ? 'table.logits.lacking' : 'table.logits', {},
    h('caption.hidden', {}, 'Each logit is the initial guess plus the correction that training added'),
    h('thead', {}, h('tr', {}, [['Class', ''], ['', 'scale'], ...(dual ? [['guess', 'number part'],
      ['correction', 'number part']] : []), ...(lacks ? [['not here', 'number part']] : []), ['logit', 'number']].map(([name, kind]) =>
      h(name ? 'th' : 'td', {scope: name ? 'col' : null, className: kind}, name)))),
    h('tbody', {}, answer.logits.map((logit, output) => {
      const guess = dual ? answer.initial_guess[output] : 0, correction = dual ? answer.correction[output] : logit;
      const mark = [output === answer.predicted ? 'said' : '', output === label ? 'labelled' : '']
        .filter(Boolean).join(' ');
      return h('tr', {className: mark},
        h('th', {scope: 'row'}, outputName(run, output)),
        h('td.scale', {'aria-hidden': 'true', style: {'--zero': zero}},
          bar('guess', 0, guess, low, high),
          bar(correction > 0 ? 'plus' : 'minus', guess, guess + correction, low, high),
          lacks ? bar('absent', guess + correction, logit, low, high) : null),
        dual ? [h('td.number.part', {}, fixed(guess, 2)), h('td.number.part', {}, (correction > 0 ? '+' : '') + fixed(correction, 2))] : null,
        lacks ? h('td.number.part', {}, (logit - guess > correction ? '+' : '') + fixed(logit - guess - correction, 2)) : null,
        h('td.number', {}, fixed(logit, 2)));
    })));
}

/** Where attention and contributions come from, in runs of several data sets.
 *  @param {Run} run @param {Answer} answer @param {number|null} label the output that stands for the label */
function origins(run, answer, label) {
  if (run.datasets.length < 2 || !run.dual) return null;
  const all = answer.by_class.reduce((sum, total) => sum + total.sum_abs, 0) || 1;
  const outputs = label === null || label === answer.predicted ? [answer.predicted] : [answer.predicted, label];
  return h('table.origins', {},
    h('caption.hidden', {}, 'Attention and contributions by data set'),
    h('thead', {}, h('tr', {}, h('th', {scope: 'col'}, 'Taught by'),
      h('th.number', {scope: 'col'}, '|attention|'),
      outputs.map((output) => h('th.number', {scope: 'col'},
        `to ${outputName(run, output)} (${output === answer.predicted ? 'called' : 'label'})`)))),
    h('tbody', {}, run.datasets.map((dataset) => {
      const totals = answer.by_class.filter((total) => total.dataset === dataset.name);
      return h('tr', {}, h('th', {scope: 'row'}, dataset.name),
        h('td.number', {}, percent(totals.reduce((sum, total) => sum + total.sum_abs, 0) / all)),
        outputs.map((output) => {
          const value = totals.reduce((sum, total) => sum + total.contributions[output], 0);
          return h(`td.number.${value < 0 ? 'minus' : 'plus'}`, {'data-value': value}, signed(value));
        }));
    })));
}

/** The picture of what is explained. @param {Run} run @param {Subject} subject */
export function picture(run, subject) {
  const {width, height} = run.datasets[0];
  if (!('pixels' in subject)) {
    const label = className(run, subject.dataset, subject.label);
    return depictWhole(run.id, subject, `${sampleName(subject)}, labelled ${label}`);
  }
  const canvas = h('canvas.subject', {width, height, role: 'img', 'aria-label': 'your picture'});
  paint(canvas, subject.pixels);
  return canvas;
}

/** @param {HTMLElement} section @param {Run} run @param {Answer} answer @param {Subject} subject
 *  @param {Actions} actions */
export function showAnswer(section, run, answer, subject, actions) {
  const rows = () => answer.logits.map((logit, output) => [outputName(run, output),
    answer.initial_guess?.[output], answer.correction?.[output], logit, answer.probabilities[output]]);
  redraw(section,
    picture(run, subject),
    h('div.said-what', {},
      h('h2', {id: 'answer-title'}, 'The answer'),
      h('p.predicted', {}, outputName(run, answer.predicted)),
      verdict(run, answer, subject),
      probabilities(run, answer),
      'pixels' in subject ? null : h('div.steps', {},
        h('button', {type: 'button', id: 'previous', onclick: () => actions.step(-1)}, '‹ previous'),
        h('button', {type: 'button', id: 'next', onclick: () => actions.step(1)}, 'next ›'))),
    h('div.why', {},
      h('div.head', {}, h('h2', {}, run.dual ? 'Logit = initial guess + what training added' : 'Logits'),
        csvButton(`logits-${subjectFile(subject)}`, 'the logits',
          ['class', 'initial_guess', 'correction', 'logit', 'probability'], rows)),
      logits(run, answer, 'pixels' in subject ? null : subject.target),
      !run.dual ? null : h('p.legend', {}, [['guess', 'initial guess'], ['plus', 'raised by training'],
        ['minus', 'lowered by training'], ...(answer.history_share ? [['absent', 'by shards that are missing']] : [])].map(([kind, text]) =>
        [h('span.key', {}, h(`i.swatch.${kind}`), text), ' ']).flat()),
      origins(run, answer, 'pixels' in subject ? null : subject.target)));
}

/** @param {HTMLElement} section @param {string} message @param {() => void} retry */
export function showFailure(section, message, retry) {
  redraw(section, h('div.failure', {role: 'alert'}, h('h2', {id: 'answer-title'}, 'No answer'),
    h('p', {}, message), h('button', {type: 'button', id: 'retry', onclick: retry}, 'Try again')));
}
