/** Minimisers and the small linear algebra around them. */
export { cholesky, choleskySolve, inverse, multiply, solveTransposed, symmetricEigen } from './dense.js';
export { centralGradient, hessian } from './differences.js';
export { minimizeLbfgs, type LbfgsOptions } from './lbfgs.js';
export { strongWolfe, type LinePoint, type LineSearchOptions, type LineSearchResult } from './line-search.js';
export { lowest, minimizeFromAll, summarize, type MultiStart, type StartsSummary } from './multi-start.js';
export { minimizeNelderMead, type NelderMeadOptions } from './nelder-mead.js';
export { bisectRoot } from './root.js';
export { isConverged, type Minimum, type Objective, type StopReason } from './types.js';
