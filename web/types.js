// What the API says (docs/api.md), as types for `tsc --checkJs`.

/**
 * @typedef {{name: string, width: number, height: number, channels: number, classes: string[],
 *   text?: {tokens: 'characters'|'words'|'whitespace', vocabulary: number, documents: number},
 *   splits: Record<'train'|'validation'|'test', {first_sample: number, samples: number}>,
 *   first_output: number, accuracy: number}} Dataset
 * @typedef {{layer: number, inputs: number, outputs: number, activation: string, errors: boolean}} Layer
 * @typedef {{name: string, older_name?: string, label: string, meaning: string, score_name: string, uses_layer: boolean,
 *   takes_logit: boolean, needs_dual: boolean, of_attention: boolean}} Rank
 * @typedef {{id: string, name: string, fingerprint: string, fingerprint_before?: string, test_accuracy: number|null,
 *   kind: 'images'|'text', test_bits_per_token?: number|null, test_perplexity?: number|null, dual?: boolean, left_out?: number,
 *   patterns: number, steps: number, file_bytes: number, layers: Layer[],
 *   datasets: Dataset[], outputs: string[], heads: 'shared'|'separate', switches: number[],
 *   snapshots: number}} RunSummary
 * @typedef {{step: number, dataset: string, accuracy: number, loss: number}} CurvePoint
 * @typedef {RunSummary & {initial_share: number, training: Record<string, string|number>,
 *   curve: CurvePoint[]}} Run
 * @typedef {{id: number, dataset: string, split: 'train'|'validation'|'test', index: number,
 *   label: number, true_label?: number}} SampleName
 * @typedef {SampleName & {target: number, predicted: number, probability: number, correct: boolean}} Sample
 * @typedef {Sample | {pixels: number[]}} Subject what is explained: a sample, or a drawing
 * @typedef {{samples: Sample[], next: string|null, total: number}} SamplePage
 * @typedef {{rank: number, pattern: number, step: number, sample: SampleName,
 *   repetitions?: number, attention: number, contribution: number, score: number}} Lit
 * @typedef {{dataset: string, label: number, patterns: number, sum_abs: number,
 *   sum_positive: number, sum_negative: number, contributions: number[]}} ClassTotal
 * @typedef {{count: number, mean: number, deviation: number, max: number}} Scores
 * @typedef {{dataset: string, label: number, attention: number[], sample: number[], step: number[]}} Curve
 * @typedef {{first_steps: number[], sum_abs: number[][], sum_positive: number[][],
 *   sum_negative: number[][], contributions: number[][][]}} Time
 * @typedef {{id: number[], class: number[], repetitions: number[], sum: number[], sum_abs: number[],
 *   score: number[]}} SampleTotals
 * @typedef {{steps: number[], logits: number[][], first_won: number, last_changed: number}} Learning
 * @typedef {{patterns: number, logits: number[], probabilities: number[],
 *   predicted: number}} Removed
 * @typedef {{layer: number, rank: string, by: string, queries: number, top: number,
 *   samples: {id: number, share: number}[]}} Common
 * @typedef {{rank: number, sample: Sample, score: number, own: number, others: number|null,
 *   loss: number}} Suspect
 * @typedef {{suspects: Suspect[], next: string|null, total: number,
 *   auc: {score: number, own: number, loss: number}|null}} SuspectPage
 * @typedef {{run: string, sample: SampleName|null, dataset: string, predicted: number,
 *   logits: number[], probabilities: number[], initial_guess: number[], correction: number[],
 *   exactness: {max_abs_error: number}, layer: number, rank: string, logit: number, target: number,
 *   contribution_kind: 'exact'|'first_order', by: 'pattern'|'sample', class: number|null,
 *   k: number, patterns: number,
 *   scores: Scores, spotlight: Lit[], by_class: ClassTotal[], removed?: Removed,
 *   scan_ms: number, timing_ms: number}} Answer
 * @typedef {Answer & {curves: Curve[], time: Time, samples: SampleTotals,
 *   learning: Learning}} Panels an answer with all that takes more
 */

/**
 * Of text runs.
 * @typedef {{sample: number, split: string, index: number, document: {name: string, position: number}}} TextPlace
 * @typedef {{tokens: number[], texts: string[]}} Tokens
 * @typedef {{name: string, split: string, sample: number, tokens: number}} TextDocument
 * @typedef {Tokens & Partial<TextPlace> & {sample: number|null, bits: (number|null)[],
 *   predicted: (string|null)[]}} Reading
 * @typedef {{token: number, text: string, probability: number, logit: number, initial_guess?: number,
 *   correction?: number, unrecorded?: number, logit_without?: number, probability_without?: number}} NextToken
 * @typedef {{sample: number, offset: number, pattern: number, step: number, repetitions: number, lit: number,
 *   attention: number, contribution: number|null, score: number}} LitPlace
 * @typedef {TextPlace & Tokens & {rank: number, places: LitPlace[]}} Passage
 * @typedef {{token: number, text: string, patterns: number, sum_abs: number, sum_positive: number,
 *   sum_negative: number, contribution?: number}} TokenTotal
 * @typedef {{run: string, subject: Tokens & Partial<TextPlace> & {sample: number|null, place: number},
 *   layer: number, rank: string, by: 'pattern'|'sample', predicted: number, logit: number, target: number|null,
 *   bits?: number, contribution_kind: 'exact'|'first_order'|'approximate'|'none',
 *   exactness: {dual: boolean, max_abs_error?: number, left_out: number}, next: NextToken[], patterns: number,
 *   scores: Scores, passages: Passage[], by_token: TokenTotal[],
 *   vote: {by_total: {token: number, text: string}, by_first?: {token: number, text: string}},
 *   removed?: {patterns: number, predicted: {token: number, text: string}},
 *   scan_ms: number, timing_ms: number}} TextAnswer
 * @typedef {'said'|'target'|'other'} Group how the attended contexts went on
 * @typedef {TextAnswer & {time: {first_steps: number[], sum_abs: Record<Group, number[]>,
 *   sum_positive: Record<Group, number[]>, sum_negative: Record<Group, number[]>, contributions?: number[]},
 *   curves: {group: Group, attention: number[], sample: number[], step: number[]}[],
 *   learning: {steps: number[], tokens: {token: number, text: string, logits: number[], probabilities: number[]}[],
 *     first_won: number, last_changed: number},
 *   along: {first: number[], patterns: number[], sum: number[], sum_abs: number[],
 *     documents: {name: string, sample: number, patterns: number, sum: number, sum_abs: number}[]}}} TextPanels
 * @typedef {TextPlace & Tokens & {pattern: number, step: number, attention: number, offset: number}} Snippet
 * @typedef {Tokens & {layer: number, rank: string, columns: Snippet[],
 *   rows: {mean: number, deviation: number, attention: number[], best: Snippet[]}[]}} Heat
 */

/** @import {State} from './state.js' */

/**
 * What views may ask for.
 * @typedef {object} Actions
 * @property {(change: Partial<State>) => void} choose goes to another view, with a new address
 * @property {(sample: number) => void} explain makes a sample the query
 * @property {(run: string, sample: number) => void} explainIn makes a sample of any run the query
 * @property {(run: string, change: Partial<State>) => void} toRun goes to another run with what fits there
 * @property {() => void} draw opens the pad
 * @property {(direction: -1|1) => void} step to the neighbour in the gallery
 * @property {() => void} share copies the link
 * @property {(term: string) => void} remove takes something more out of the memory
 * @property {() => void} compare with the sample that is picked next
 * @property {() => void} swap the two that are compared
 */

export {};
