// What the first screen of images does without, loaded as one when it is wanted: the panels with their charts, and the other pages.

export {showPanels} from './panels.js';
export {firstPosition, neighbour, renderText} from './text/page.js';
export {renderCompare} from './views/compare.js';
export {renderHow} from './views/how.js';
export {renderRuns} from './views/runs.js';
export {renderSuspects} from './views/suspects.js';
