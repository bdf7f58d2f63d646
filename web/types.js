// What the API says (docs/api.md), as types for `tsc --checkJs`.

/**
 * @typedef {{name: string, width: number, height: number, channels: number, classes: string[],
 *   splits: Record<'train'|'test', {first_sample: number, samples: number}>,
 *   accuracy: number}} Dataset
 * @typedef {{layer: number, inputs: number, outputs: number, activation: string}} Layer
 * @typedef {{id: string, name: string, fingerprint: string, test_accuracy: number,
 *   patterns: number, steps: number, file_bytes: number, layers: Layer[],
 *   datasets: Dataset[]}} RunSummary
 * @typedef {{step: number, dataset: string, accuracy: number, loss: number}} CurvePoint
 * @typedef {RunSummary & {initial_share: number, training: Record<string, string|number>,
 *   curve: CurvePoint[]}} Run
 * @typedef {{id: number, dataset: string, split: 'train'|'test', index: number,
 *   label: number}} SampleName
 * @typedef {SampleName & {predicted: number, probability: number, correct: boolean}} Sample
 * @typedef {Sample | {pixels: number[]}} Subject what is explained: a sample, or a drawing
 * @typedef {{samples: Sample[], next: string|null, total: number}} SamplePage
 * @typedef {{rank: number, pattern: number, step: number, sample: SampleName,
 *   repetitions?: number, attention: number, contribution: number, score: number}} Lit
 * @typedef {{dataset: string, label: number, patterns: number, sum_abs: number,
 *   sum_positive: number, sum_negative: number, contributions?: number[]}} ClassTotal
 * @typedef {{run: string, sample: SampleName|null, dataset: string, predicted: number,
 *   logits: number[], probabilities: number[], initial_guess: number[], correction: number[],
 *   exactness: {max_abs_error: number}, layer: number, rank: string, logit: number,
 *   contribution_kind: 'exact'|'first_order', by: 'pattern'|'sample', class: number|null,
 *   k: number, patterns: number,
 *   scores: {count: number, mean: number, deviation: number, max: number},
 *   spotlight: Lit[], by_class: ClassTotal[], scan_ms: number, timing_ms: number}} Answer
 */

/** @import {State} from './state.js' */

/**
 * What views may ask for.
 * @typedef {object} Actions
 * @property {(change: Partial<State>) => void} choose goes to another view, with a new address
 * @property {(sample: number) => void} explain makes a sample the query
 * @property {() => void} draw opens the pad
 * @property {(direction: -1|1) => void} step to the neighbour in the gallery
 * @property {() => void} share copies the link
 */

export {};
