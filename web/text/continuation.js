// How the model goes on: a continuation becomes a text of its own, every token of it a query.

import {getContinuation, readText} from '../api.js';
import {h, redraw} from '../dom.js';
import {TEXT_MAX} from '../state.js';
import {notify} from '../views/notices.js';

/** @import {Actions, Run, TextAnswer} from '../types.js' */
/** @import {State} from '../state.js' */

const COUNT = {characters: 200, words: 50, whitespace: 50};
const KEPT = {characters: 120, words: 30, whitespace: 30}; // tokens of the stored text that come along
let temperature = '0.7';
let seed = 1;

/** @param {HTMLElement} section @param {Run} run @param {State} state @param {TextAnswer} answer @param {Actions} actions */
export function showContinuation(section, run, state, answer, actions) {
  const kind = /** @type {{tokens: 'characters'}} */ (run.datasets[0].text).tokens;
  const goOn = async (/** @type {Event} */ event) => {
    event.preventDefault();
    const address = location.href;
    try {
      const reading = state.text === null ? null : await readText(run.id, {text: state.text}, AbortSignal.timeout(20000));
      // All that was typed up to the place, as far as an address can hold it with what is written.
      let texts = reading ? reading.texts.slice(0, (state.place ?? reading.texts.length - 1) + 1) : answer.subject.texts.slice(-KEPT[kind]);
      const written = await getContinuation(run.id, {text: texts.join(''), count: COUNT[kind], temperature: Number(temperature), seed});
      if (location.href !== address) return; // gone elsewhere meanwhile
      seed++;
      const added = written.texts.join('');
      while (texts.length > 1 && texts.join('').length + added.length > TEXT_MAX) texts = texts.slice(Math.ceil(texts.length / 8));
      notify(`It wrote on: “${added.slice(0, 120).replaceAll('\n', ' ')}${added.length > 120 ? '…' : ''}” It is in your text, every token a question.`);
      actions.choose({text: (texts.join('') + added).slice(0, TEXT_MAX), place: texts.length - 1, sample: null});
    } catch (error) {
      notify(/** @type {Error} */ (error).message);
    }
  };
  redraw(section,
    h('form.continuing', {onsubmit: goOn},
      h('label', {}, 'freedom ', h('input', {type: 'range', min: '0', max: '1.2', step: '0.1', value: temperature, id: 'temperature',
        oninput: (/** @type {any} */ event) => {
          temperature = event.target.value;
          event.target.nextElementSibling.textContent = temperature;
        }}), h('output', {}, temperature)),
      h('button', {type: 'submit', id: 'go-on', title: 'What it writes becomes your text: click any of its tokens to see which passages ' +
        'it was reading from. Freedom 0 always takes the most expected token.'}, 'Write on from here')));
}
