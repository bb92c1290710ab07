/** The ledger: claims, runs and the pure function between them. */
export { analyse, decide, type Finding } from './analysis.js';
export { canonicalJson, criterionHash, hashText, runId } from './canonical.js';
export { checkClaim } from './claims.js';
export { judge, judgeProvisionally } from './judge.js';
export { deviceCard, readRuns, recordRun } from './run-files.js';
export { formatRun, readRun, runFileName, sealRun } from './runs.js';
export { publicWord, totals, type Totals, type WordCounts } from './words.js';
export * from './types.js';
