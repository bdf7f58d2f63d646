// The bar on top: which run, what it is, share, theme, help.

import {getMemory} from '../api.js';
import {base} from '../base.js';
import {count, noun, percent, samplePlace, size, whyNotDual} from '../format.js';
import {h, redraw, select} from '../dom.js';
import {keyList} from '../keys.js';
import {takesPictures} from '../pixels.js';
import {bringIntroBack} from './intro.js';

/** @import {Run, RunSummary} from '../types.js' */
/** @import {Actions} from '../types.js' */
/** @import {State} from '../state.js' */

/** @type {Record<string, string>} */
const ACTIVATIONS = {relu: 'ReLU', silu: 'SiLU', gelu: 'GELU', lstm: 'LSTM', softmax: 'softmax'};

/** Settings whose names in the API are not words.
 *  @type {Record<string, string>} */
const SETTINGS = {lr_schedule: 'learning rate schedule', lr_period: 'steps between drops',
  lr_gamma: 'factor of each drop', clip_norm: 'gradient norm clipped at', dtype: 'history stored as'};

/** A setting of a training, as people say it. @param {string} name */
export function settingName(name) {
  return SETTINGS[name] ?? name.replaceAll('_', ' ');
}

/** Its value. @param {string} name @param {unknown} value */
export function settingValue(name, value) {
  if (typeof value === 'boolean') return value ? 'yes' : 'no';
  if (Array.isArray(value)) return value.join(', ');
  return typeof value === 'number' && Number.isInteger(value) && name !== 'seed' ? count(value) : String(value);
}

const LAYERS_TOLD = 5; // of a recorded network; of more, the first and the last

/** @param {RunSummary} run */
export function shape(run) {
  if (run.recorded && run.layers.length > LAYERS_TOLD) return `${run.layers.length} layers, ${run.layers[0].name} to ${run.layers[run.layers.length - 1].name}`;
  if (run.recorded) return run.layers.map(({name, inputs, outputs}) => `${name} ${inputs}-${outputs}`).join(', ');
  if (run.kind === 'text') {
    const cells = run.layers[run.layers.length - 1].inputs;
    return `LSTM ${Array(run.layers.length - 1).fill(cells).join('-')}, ${run.datasets[0].text?.tokens === 'characters' ? 'characters' : 'words'}`;
  }
  return [run.layers[0].inputs, ...run.layers.map((layer) => layer.outputs)].join('-');
}

export function switchTheme() {
  const theme = document.documentElement.dataset.theme === 'dark' ? 'light' : 'dark';
  document.documentElement.dataset.theme = theme;
  try {
    localStorage.setItem('keylight-theme', theme);
  } catch {
    // Then it lasts until the page is left.
  }
}

/** @param {string} title @param {Node[]} content */
function openDialog(title, ...content) {
  const dialog = h('dialog', {'aria-label': title, onclose: () => dialog.remove()},
    h('div.dialog-head', {}, h('h2', {}, title),
      h('button.quiet', {type: 'button', 'aria-label': 'Close', onclick: () => dialog.close()}, '×')),
    ...content);
  document.body.append(dialog);
  dialog.showModal();
}

/** Closes the dialog, and goes elsewhere. @param {() => void} go */
function leave(go) {
  document.querySelector('dialog')?.close();
  go();
}

/** Whether a setting says anything of this run. @param {Run} run @param {string} name @param {unknown} value */
function applies(run, name, value) {
  const {optimiser = 'sgd', lr_schedule: schedule} = run.training;
  return !(run.kind === 'text' && name === 'initialisation') && !(optimiser === 'sgd' ? /^(beta|epsilon)/ : /^(momentum|dampening|nesterov)$/).test(name) &&
    !(schedule !== 'step' && /^lr_(period|gamma)$/.test(name)) && value !== '' && !(Array.isArray(value) && value.length === 0);
}

/** What its layers take in memory, and what the server has given to all runs. @param {Run} run */
function memoryOf(run) {
  const place = h('span', {}, `${size(run.memory_bytes)} for all layers`);
  void getMemory().then(({copied_bytes: copied, most_bytes: most}) => place.append(most ?
    `; of all runs, ${size(copied)} are copied into the server’s memory now, ${size(most)} at most` : '; the server reads it from the file'), () => {});
  return place;
}

/** @param {Run} run */
function aboutRun(run) {
  const memory = memoryOf(run);
  /** @type {[string, string|HTMLElement][]} */
  const facts = [
    ['Network', run.kind === 'text' && !run.recorded ? `${shape(run)}, ${count(run.layers[run.layers.length - 1].outputs)} different tokens` : run.recorded ? `recorded, ${shape(run)}` : `${shape(run)}, ${ACTIVATIONS[run.layers[0].activation]}`],
    ['Patterns', `${count(run.patterns)} in ${count(run.steps)} steps${run.shards?.missing.length ? `, without ${count(run.shards.missing_patterns)} that are missing` : ''}`],
    ['Test accuracy', run.test_accuracy === null ? 'there is no test split' : percent(run.test_accuracy, 2)],
    ...(run.kind === 'text' ? /** @type {[string, string][]} */ ([['Test loss', typeof run.test_bits_per_token !== 'number' ? 'there is no test split' : `${(run.test_bits_per_token ?? 0).toFixed(3)} bits per token, perplexity ${(run.test_perplexity ?? 0).toFixed(2)}`],
      ['Exactness', !run.dual ? `attention only: ${whyNotDual(run)}` : run.left_out ? `${percent(run.left_out, 2)} of the error signals left out` : 'error signals recorded whole']]) : []),
    ['File', `${size(run.file_bytes)}, fingerprint ${run.fingerprint}`],
    ['Memory', memory],
    ...(run.initial_share === undefined ? [] : /** @type {[string, string][]} */ ([['Left of the initial weights', percent(run.initial_share, 2)]])),
    ...Object.entries(run.training).filter(([name, value]) => applies(run, name, value)).map(([name, value]) => /** @type {[string, string]} */ (
      [settingName(name), settingValue(name, value)])),
  ];
  openDialog(`The run “${run.name}”`,
    h('dl.facts', {}, facts.map(([name, value]) => [h('dt', {}, name), h('dd', {}, value)]).flat()),
    h('h3', {}, 'Training curve'),
    h('table', {}, h('thead', {}, h('tr', {}, ['Step', 'Data', 'Test accuracy', 'Test loss'].map(
      (name) => h('th', {scope: 'col'}, name)))),
    h('tbody', {}, run.curve.map((point) => h('tr', {}, h('td', {}, count(point.step)),
      h('td', {}, point.dataset), h('td', {}, percent(point.accuracy, 2)),
      h('td', {}, point.loss.toFixed(4)))))));
}

/** @param {Run} run @param {Actions} actions */
export function help(run, actions) {
  /** @type {[string, string][]} */
  const words = [
    ['Pattern', 'one showing of a training image during training. The network saw every pattern once, in order; together they are its history.'],
    ['Attention', 'how alike a pattern and this image look to a layer: the plain dot product of the layer’s inputs for both. It has a sign and no upper bound.'],
    ['Contribution', 'what a pattern added to a logit: its attention times the correction that was learned from it. In the last layer the contributions of all patterns and the initial guess sum to the logit, exactly. In earlier layers they are first-order: how the logit would begin to change.'],
    ['Initial guess', 'what the untrained last layer says of this image; grey in the bars.'],
    ['Correction', 'everything that training added to it: the sum of all contributions.'],
    ['Effect', 'the same summed over all layers, on a logit or on this sample’s loss: first order, what the weights owe to an image.'],
    ['Would be missed', 'an estimate of what this sample’s loss would rise by, had the network not been trained on an image; walking back through the training tells it more closely, training again how it really is.'],
    ['Cosine', 'attention over the lengths of key and query. It is not the dual form, but does not favour training images with large keys.'],
    ['Without', 'patterns taken out of the memory of all layers at once: what the stored trajectory would say without them. It is no retraining.'],
    ['Light', 'how far a pattern’s score stands above the mean of the whole history, in standard deviations. At the mean the image fades out. The scale stands under the images.'],
    ['Dual form', 'a linear layer trained by gradient descent is its initial weights plus attention over everything it was trained on. keylight computes the answer both ways and says how far they differ.'],
  ];
  openDialog('How to read this page',
    run.kind === 'text' ? h('p', {}, 'Click a token on the left, or type a text of your own. The answer shows what the model expects after it; the spotlight, ' +
      'the training passages that the chosen layer attends to: a pattern is one showing of a position of the training text. Click “ask” ' +
      'to go there. The address always holds the whole view: share it.') : h('p', {}, 'Pick a sample on the left. The answer shows what the network says and how training built it; the spotlight shows the training images it attends to. Click one of them to ask about it. The address always holds the whole view: share it.'),
    h('dl.words', {}, words.map(([name, text]) => [h('dt', {}, name), h('dd', {}, text)]).flat()),
    ...keyList(),
    h('div.buttons', {}, h('button', {type: 'button', id: 'help-how', onclick: () => leave(() => actions.choose({view: 'how', with: null}))}, 'How it works, step by step'),
      h('button', {type: 'button', id: 'help-tour', onclick: () => leave(() => actions.choose({view: 'query', with: null, tour: 1}))}, 'The tour'),
      h('button', {type: 'button', id: 'intro-back', onclick: bringIntroBack}, 'Show the question on top again')));
}

/** The other runs that have the same image, as values of the state's with.
 *  @param {RunSummary[]} runs @param {Run} run @param {State} state */
function sameImage(runs, run, state) {
  if (state.sample === null) return [];
  const {dataset, split, index} = samplePlace(run, state.sample);
  return runs.filter((other) => other.id !== run.id).flatMap((other) => {
    const found = other.datasets.find((d) => d.name === dataset)?.splits[/** @type {'test'} */ (split)];
    return found && index < found.samples ? [{value: `${other.id}/${found.first_sample + index}`,
      text: `the same image in ${other.name}`}] : [];
  });
}

/** @param {RunSummary[]} runs @param {Run} run @param {State} state @param {Actions} actions */
function compare(runs, run, state, actions) {
  const element = select([{value: '', text: 'Compare…'}, {value: 'pick', text: 'with a sample that I pick'},
    ...sameImage(runs, run, state)], '', 'Compare', (value) => {
    element.value = '';
    if (value === 'pick') actions.compare();
    else actions.choose({with: value});
  });
  element.classList.add('compare');
  return element;
}

/** @param {HTMLElement} place @param {RunSummary[]} runs @param {Run} run @param {State} state
 *  @param {Actions} actions */
export function showHeader(place, runs, run, state, actions) {
  redraw(place,
    h('h1.brand-title', {}, h('a.brand', {href: base, 'aria-label': 'keylight, first page'},
      h('img', {src: `${base}assets/icon.svg`, alt: '', width: 22, height: 22}), h('span', {}, 'keylight'))),
    runs.length > 1 ?
      h('label.run', {}, h('span.hidden', {}, 'Run'), select(
        runs.map((other) => ({value: other.id, text: `${other.name}  ${shape(other)}`})), run.id, 'Run',
        (id) => actions.toRun(id, {sample: null, pixels: null, as: null, text: null, place: null, with: null, remove: null}))) :
      h('span.run', {}, h('strong', {}, run.name), ' ', h('span.soft', {}, shape(run))),
    h('button.quiet.stats', {type: 'button', id: 'about-run', onclick: () => aboutRun(run),
      title: 'About this run'},
      run.kind === 'text' ? `${typeof run.test_bits_per_token === 'number' ? `${run.test_bits_per_token.toFixed(2)} bits per token on test` : 'no test split'} · ${count(run.patterns)} patterns · ${count(run.steps)} steps` :
        [run.test_accuracy === null ? 'no test split' : `${percent(run.test_accuracy)} on test`, h('span.further', {}, ` · ${count(run.patterns)} patterns · ${count(run.steps)} steps`)]),
    h('span.space'),
    runs.length > 1 && h('button', {type: 'button', id: 'show-runs', 'aria-pressed': String(state.view === 'runs'), title: 'All runs, and what two of them differ in',
      onclick: () => actions.choose({view: state.view === 'runs' ? 'query' : 'runs', with: null})}, 'Runs'),
    run.kind !== 'text' && h('button', {type: 'button', id: 'show-suspects', 'aria-pressed': String(state.view === 'suspects'),
      title: `Training ${noun(run)}s whose label is likely wrong`,
      onclick: () => actions.choose({view: state.view === 'suspects' ? 'query' : 'suspects', with: null})}, 'Suspects'),
    run.kind !== 'text' && state.view === 'query' && state.sample !== null && compare(runs, run, state, actions),
    takesPictures(run) && h('button', {type: 'button', id: 'draw', title: 'Ask about a picture or a drawing of your own',
      onclick: () => actions.draw()}, 'Your image'),
    h('button', {type: 'button', id: 'share', onclick: () => actions.share()}, 'Share'),
    h('button', {type: 'button', id: 'theme', 'aria-label': 'Switch between dark and light',
      onclick: switchTheme}, h('span.theme-mark', {'aria-hidden': 'true'})),
    h('button', {type: 'button', id: 'help', 'aria-label': 'How to read this page', onclick: () => help(run, actions)}, '?'));
}
