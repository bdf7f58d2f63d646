// What the API says, as types for `tsc --checkJs`: names for the shapes of docs/openapi.json, of which `npm run types`
// makes openapi.d.ts.

/** @typedef {import('./openapi.js').components} components */

/**
 * @template T @template {keyof T} K
 * @typedef {T & Required<Pick<T, K>>} With a shape of which some optional members are there
 */

/**
 * Of every run.
 * @typedef {components['schemas']} Schemas
 * @typedef {With<Schemas['Dataset'], 'width'|'height'|'channels'>} Dataset of images
 * @typedef {Schemas['Layer']} Layer
 * @typedef {Schemas['Ranks']['ranks'][number]} Rank
 * @typedef {Schemas['Memory']} Memory
 * @typedef {Omit<Schemas['RunSummary'], 'datasets'> & {datasets: Dataset[]}} RunSummary
 * @typedef {Omit<With<Schemas['Run'], 'initial_share'>, 'datasets'> & {datasets: Dataset[]}} Run
 * @typedef {Schemas['SampleName']} SampleName
 * @typedef {Schemas['Strip']} Strip
 * @typedef {Schemas['Sample']} Sample
 * @typedef {Sample | {pixels: number[]}} Subject what is explained: a sample, or a drawing
 * @typedef {Schemas['Samples']} SamplePage
 * @typedef {Schemas['Confusions']['confusions'][number]} Confusion
 * @typedef {Schemas['SampleMap']} SampleMap
 * @typedef {Schemas['Common']} Common
 * @typedef {Schemas['Suspect']} Suspect
 * @typedef {Schemas['Suspects']} SuspectPage
 * @typedef {Schemas['Mark']} Mark
 * @typedef {Schemas['Retrained']} Retrained
 * @typedef {Schemas['Walked']} Walked
 * @typedef {Schemas['Truth']} Truth
 * @typedef {Schemas['Report']} Report
 * @typedef {Report['vote'][number]} Vote
 */

/**
 * Of images.
 * @typedef {Schemas['Lit'] & {contribution: number}} Lit
 * @typedef {Schemas['StripCard'] & {sample: SampleName, contribution: number}} Card
 * @typedef {Required<Schemas['ClassTotal']>} ClassTotal
 * @typedef {Omit<Schemas['Attention'], 'spotlight'|'initial_guess'|'correction'|'by_class'|'time'> & {spotlight: Lit[], initial_guess: number[],
 *   correction: number[], by_class: ClassTotal[], time?: Required<NonNullable<Schemas['Attention']['time']>>}} Answer
 * @typedef {Schemas['Part']} Part
 * @typedef {With<Answer, 'curves'|'time'|'samples'|'learning'>} Panels an answer with all that takes more
 * @typedef {Answer['scores']} Scores
 * @typedef {Panels['curves'][number]} Curve
 * @typedef {Panels['time']} Time
 * @typedef {Panels['samples']} SampleTotals
 * @typedef {Panels['learning']} Learning
 * @typedef {NonNullable<Answer['removed']>} Removed
 */

/**
 * Of texts.
 * @typedef {Schemas['Documents']['documents'][number]} TextDocument
 * @typedef {Schemas['Reading']} Reading
 * @typedef {Pick<Reading, 'tokens'|'texts'>} Tokens
 * @typedef {Schemas['TextAttention']} TextAnswer
 * @typedef {With<TextAnswer, 'time'|'curves'|'learning'|'along'>} TextPanels
 * @typedef {TextAnswer['next'][number]} NextToken
 * @typedef {TextAnswer['passages'][number]} Passage
 * @typedef {Passage['places'][number]} LitPlace
 * @typedef {TextAnswer['by_token'][number]} TokenTotal
 * @typedef {TextPanels['curves'][number]['group']} Group how the attended contexts went on
 * @typedef {Schemas['Snippet']} Snippet
 * @typedef {Pick<Snippet, 'sample'|'split'|'index'|'document'>} TextPlace
 * @typedef {Schemas['Heat']} Heat
 */

/** @import {State} from './state.js' */

/**
 * What views may ask for.
 * @typedef {object} Actions
 * @property {(change: Partial<State>) => void} choose goes to another view, with a new address
 * @property {(sample: number) => void} explain makes a sample the query
 * @property {(sample: number) => void} press tells that a button is pressed which will make a sample the query
 * @property {(run: string, sample: number) => void} explainIn makes a sample of any run the query
 * @property {(run: string, change: Partial<State>) => void} toRun goes to another run with what fits there
 * @property {() => void} draw opens the pad
 * @property {(direction: -1|1) => void} step to the neighbour in the gallery
 * @property {() => void} share copies the link
 * @property {(term: string) => void} remove takes something more out of the memory
 * @property {() => void} compare with the sample that is picked next
 * @property {() => void} swap the two that are compared
 */

/**
 * How a kind of run tells of its outputs and of its training samples, where pages of all kinds tell the same.
 * @typedef {object} Manner
 * @property {number|null} target what is asked about should be this output; null: nobody knows
 * @property {number} predicted
 * @property {(output: number) => string} output its name
 * @property {number[]|null} outputs those that are told; null: all
 * @property {(term: string) => string} term of a removal, in words
 * @property {() => Promise<MissedCard[]>} estimate who would be missed most, by influence, best first
 * @property {(walked: Walked['queries'][number]['influence']) => Promise<MissedCard[]>} recall the cards of those
 * @property {(strip: {id: string, output: number, cards: MissedCard[]}) => Node} showCards
 *
 * @typedef {{sample: any, score: number, [more: string]: any}} MissedCard one that would be missed, and what the loss would rise by
 */

/**
 * What a page is drawn from.
 * @typedef {object} Visit
 * @property {Run} run
 * @property {RunSummary[]} runs all that are served
 * @property {State} state
 * @property {number[]|null} pixels of the picture that is asked about, if it is one's own
 * @property {Actions} actions
 * @property {AbortSignal} signal after which nobody looks any more
 * @property {() => void} frame draws what stands around the view: header and gallery
 * @property {(mode: 'query'|'compare'|'suspects'|'how'|'runs') => void} ready what stands on the page is what was asked for
 */

export {};
