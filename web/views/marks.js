// Decisions about suspicious labels: wrong (and what is right), fine, unsure; kept by the server beside the run.

import {marksUrl, setMark} from '../api.js';
import {h} from '../dom.js';
import {className} from '../format.js';
import {notify} from './notices.js';

/** @import {Mark, Run, Suspect} from '../types.js' */

/** @type {Array<{decision: Mark['decision'], key: string, text: string}>} */
const DECISIONS = [{decision: 'wrong', key: 'w', text: 'Wrong'}, {decision: 'fine', key: 'f', text: 'Fine'},
  {decision: 'unsure', key: 'u', text: 'Unsure'}];

/** What the label most likely should be: what the neighbours are called, or else what the network says; null: neither
 *  tells of another one.
 *  @param {Run} run @param {Suspect} suspect @returns {number|null} */
function likely(run, suspect) {
  const dataset = run.datasets.find(({name}) => name === suspect.sample.dataset);
  const said = suspect.sample.predicted - (dataset?.first_output ?? 0);
  if (suspect.suggested) return suspect.suggested.label;
  return said >= 0 && said < (dataset?.classes.length ?? 0) && said !== suspect.sample.label ? said : null;
}

/** All decisions of a run, and how many there are of each. */
export class Marks {
  /** @param {Run} run @param {Mark[]} marks @param {() => void} changed is told of every change */
  constructor(run, marks, changed) {
    this.run = run;
    this.changed = changed;
    /** @type {Map<number, Mark>} */
    this.bySample = new Map(marks.map((mark) => [mark.sample.id, mark]));
    this.summary = h('p.marks-summary', {role: 'status'});
    this.drawSummary();
  }

  /** How many there are of a decision. @param {string} decision */
  count(decision) {
    return [...this.bySample.values()].filter((mark) => mark.decision === decision).length;
  }

  /** Whether some of whom the network was trained on are wrong, so that it can be trained again without them. */
  hasWrongTraining() {
    return [...this.bySample.values()].some(({decision, sample}) => decision === 'wrong' && sample.split === 'train');
  }

  drawSummary() {
    this.summary.replaceChildren(
      ...DECISIONS.map(({decision, text}) => h('span.count', {'data-decision': decision}, h('b', {}, String(this.count(decision))), ` ${text.toLowerCase()}`)),
      ...this.bySample.size ? [h('a.quiet', {href: marksUrl(this.run.id, 'csv'), download: `marks-${this.run.name}.csv`, id: 'marks-csv'}, 'Marks as CSV'),
        h('a.quiet', {href: marksUrl(this.run.id, 'json'), download: `marks-${this.run.name}.json`}, 'JSON')] : []);
  }

  /** @param {number} sample @param {Mark['decision']|null} decision @param {number|null} label */
  async set(sample, decision, label) {
    try {
      const marks = await setMark(this.run.id, {sample, decision, label});
      const mine = marks.find((mark) => mark.sample.id === sample); // of the others an answer on its way may know more
      if (mine) this.bySample.set(sample, mine);
      else this.bySample.delete(sample);
      this.drawSummary();
      this.changed();
    } catch (error) {
      notify(`The mark was not kept: ${/** @type {Error} */ (error).message}`);
    }
  }

  /** The buttons of one suspect; card is marked as the decision says.
   *  @param {Suspect} suspect @param {HTMLElement} card */
  controls(suspect, card) {
    const {run} = this, {sample} = suspect, id = sample.id;
    const classes = run.datasets.find(({name}) => name === sample.dataset)?.classes ?? [];
    const right = h('select', {'aria-label': `The right class of ${sample.split} image ${sample.index}`, onchange: () =>
      this.set(id, 'wrong', right.value === '' ? null : Number(right.value))},
    h('option', {value: ''}, 'which class?'), classes.map((_, label) => label === sample.label ? null : h('option', {value: String(label)}, className(run, sample.dataset, label))));
    const buttons = DECISIONS.map(({decision, key, text}) => h('button.quiet', {type: 'button', 'data-decision': decision,
      title: `${text} (${key})`, 'aria-keyshortcuts': key, onclick: () => decide(decision)}, text));
    const draw = () => {
      const mark = this.bySample.get(id);
      card.dataset.mark = mark?.decision ?? '';
      for (const button of buttons) button.setAttribute('aria-pressed', String(button.dataset.decision === mark?.decision));
      right.hidden = mark?.decision !== 'wrong';
      right.value = String(mark ? mark.label ?? '' : likely(run, suspect) ?? '');
    };
    /** The same again takes the mark back. @param {Mark['decision']} decision */
    const decide = async (decision) => {
      const same = this.bySample.get(id)?.decision === decision;
      await this.set(id, same ? null : decision, same || decision !== 'wrong' ? null : likely(run, suspect));
      draw();
    };
    card.addEventListener('keydown', (event) => {
      const found = DECISIONS.find(({key}) => key === event.key.toLowerCase());
      if (!found || event.repeat || event.ctrlKey || event.metaKey || event.altKey || event.target instanceof HTMLSelectElement) return;
      event.preventDefault();
      event.stopPropagation();
      decide(found.decision);
      /** @type {HTMLElement|null|undefined} */ (card.nextElementSibling?.querySelector('.suspect'))?.focus();
    });
    draw();
    return h('div.marking', {role: 'group', 'aria-label': `Mark ${sample.split} image ${sample.index}`}, buttons, right);
  }
}
