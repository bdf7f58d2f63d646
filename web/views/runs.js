// All runs that are served: how they trained, what they are, and what two of them differ in.

import {getRun} from '../api.js';
import {chart, legend} from '../chart.js';
import {csvButton} from '../csv.js';
import {byId, h, redraw, select} from '../dom.js';
import {count, fixed, percent, size} from '../format.js';
import {settingName, settingValue, shape} from './header.js';

/** @import {Line} from '../chart.js' */
/** @import {Actions, Run, Visit} from '../types.js' */

/** The training curve of a run on one of its data sets: one line of a chart. @param {Run[]} runs @param {Run[]} all in whose order they have their colours @param {'accuracy'|'loss'|'bits_per_token'} what
 *  @returns {{x: number[], lines: Line[]}} */
function curves(runs, all, what) {
  const x = [...new Set(runs.flatMap(({curve}) => curve.map(({step}) => step)))].sort((a, b) => a - b), at = new Map(x.map((step, i) => [step, i]));
  const lines = runs.flatMap((run) => run.datasets.map((dataset, which) => {
    /** @type {(number|null)[]} */
    const values = x.map(() => null);
    for (const point of run.curve) if (point.dataset === dataset.name) values[/** @type {number} */ (at.get(point.step))] = point[what] ?? null;
    return {label: run.datasets.length > 1 ? `${run.name}, ${dataset.name}` : run.name, values, colour: `--c${all.indexOf(run) % 10}`, width: 2, isJoined: true, ...(which && {dash: [6, 4]})};
  })).filter(({values}) => values.some((value) => value !== null));
  return {x, lines};
}

/** Runs of texts and of samples have nothing to share an axis for. @param {Run[]} runs */
function charts(runs) {
  const texts = runs.filter(({kind}) => kind === 'text'), others = runs.filter(({kind}) => kind !== 'text');
  return [others.length ? h('div.pair', {}, curveChart(others, runs, 'accuracy', 'Test accuracy'), curveChart(others, runs, 'loss', 'Test loss')) : null,
    texts.length ? h('div.pair', {}, curveChart(texts, runs, 'accuracy', 'Accuracy of the next token'), curveChart(texts, runs, 'bits_per_token', 'Bits per token on test')) : null];
}

/** @param {Run[]} runs @param {Run[]} all @param {'accuracy'|'loss'|'bits_per_token'} what @param {string} title */
function curveChart(runs, all, what, title) {
  const {x, lines} = curves(runs, all, what);
  return h('div', {}, h('h3', {}, title), lines.length ? [chart({label: `${title} while the runs were trained`, xLabel: 'step', yLabel: title.toLowerCase(), x, lines}), legend(lines)] :
    h('p.soft', {}, 'No run has a test split.'));
}

/** What tells how good a run is. @param {Run} run */
function quality(run) {
  return run.kind === 'text' ? typeof run.test_bits_per_token === 'number' ? `${fixed(run.test_bits_per_token, 2)} bits per token` : 'no test split' :
    run.test_accuracy === null ? 'no test split' : percent(run.test_accuracy, 2);
}

/** Facts of a run, by name: what it is, then its settings. @param {Run} run @returns {Map<string, string>} */
function facts(run) {
  return new Map([['data', run.datasets.map(({name}) => name).join(', ')], ['network', shape(run)], ['on test', quality(run)], ['patterns', count(run.patterns)],
    ['snapshots', count(run.snapshots)], ['file', size(run.file_bytes)], ['error signals', run.dual ? 'recorded' : 'not recorded'],
    ...Object.entries(run.training).filter(([name]) => name !== 'name').map(([name, value]) => /** @type {[string, string]} */ (
      [settingName(name), settingValue(name, value)]))]);
}

/** What two runs differ in, and what is the same. @param {Run} a @param {Run} b */
function difference(a, b) {
  const [left, right] = [facts(a), facts(b)], names = [...new Set([...left.keys(), ...right.keys()])];
  const differ = names.filter((name) => left.get(name) !== right.get(name)), same = names.filter((name) => left.get(name) === right.get(name));
  const table = (/** @type {string[]} */ some, /** @type {string} */ caption) => h('table.difference-of', {}, h('caption.hidden', {}, caption),
    h('thead', {}, h('tr', {}, ['', a.name, b.name].map((name, i) => name || i ? h('th', {scope: 'col'}, name) : h('td')))),
    h('tbody', {}, some.map((name) => h('tr', {}, h('th', {scope: 'row'}, name), h('td', {}, left.get(name) ?? '—'), h('td', {}, right.get(name) ?? '—')))));
  return h('div', {}, differ.length ? table(differ, 'What differs') : h('p.soft', {}, 'They have the same settings.'),
    same.length ? h('details', {}, h('summary', {}, `${same.length} are the same`), table(same, 'What is the same')) : null);
}

/** @param {Run[]} runs @param {Actions} actions */
function table(runs, actions) {
  return h('div.scroll', {tabIndex: 0, role: 'region', 'aria-label': 'The runs'}, h('table.runs', {}, h('caption.hidden', {}, 'The runs'),
    h('thead', {}, h('tr', {}, ['Run', 'Data', 'Network', 'On test', 'Patterns', 'Steps', 'File'].map((name, i) => h(i > 2 ? 'th.number' : 'th', {scope: 'col'}, name)))),
    h('tbody', {}, runs.map((run, i) => h('tr', {'data-run': run.id},
      h('th', {scope: 'row'}, h('i.swatch', {style: {'--swatch': `var(--c${i % 10})`}}), h('button.link', {type: 'button', id: `open-run-${run.id}`,
        onclick: () => actions.toRun(run.id, {view: 'query', sample: null, pixels: null, as: null, text: null, place: null, with: null, remove: null})}, run.name)),
      h('td', {}, run.datasets.map(({name}) => name).join(', ')), h('td', {}, shape(run)), h('td.number', {}, quality(run)),
      h('td.number', {}, count(run.patterns)), h('td.number', {}, count(run.steps)), h('td.number', {}, size(run.file_bytes)))))));
}

/** @param {Visit} visit */
export async function renderRuns({runs: summaries, state, actions, signal, ready}) {
  const runs = await Promise.all(summaries.map(({id}) => getRun(id, signal))), section = byId('runs');
  if (signal.aborted) return;
  const chosen = (state.between ?? '').split(',').map((id) => runs.find((run) => run.id === id)), a = chosen[0] ?? runs[0], b = chosen[1] ?? runs.find((run) => run !== a);
  const options = runs.map((run) => ({value: run.id, text: run.name}));
  document.title = 'runs · keylight';
  redraw(section,
    h('div.head', {}, h('h2', {id: 'runs-title'}, `${runs.length === 1 ? 'The run' : `${count(runs.length)} runs`}`),
      csvButton('runs', 'the runs', ['run', 'fingerprint', 'data', 'network', 'on_test', 'patterns', 'steps', 'bytes'], () =>
        runs.map((run) => [run.name, run.id, run.datasets.map(({name}) => name).join(' '), shape(run), quality(run), run.patterns, run.steps, run.file_bytes]))),
    table(runs, actions),
    ...charts(runs),
    ...b ? [h('div.head', {}, h('h2', {}, 'What two differ in'), h('span.controls', {},
      select(options, a.id, 'First run', (id) => actions.choose({between: `${id},${b.id}`})), h('span.soft', {}, 'and'),
      select(options, b.id, 'Second run', (id) => actions.choose({between: `${a.id},${id}`})))), difference(a, b)] : []);
  ready('runs');
}
