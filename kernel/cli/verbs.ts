/** The table of verbs. A new verb is one file that exports `verb` and one line here. */
import type { Verb } from './verb.js';

/** Loads a verb's file only when it is asked for. */
export const verbs: Readonly<Record<string, () => Promise<{ verb: Verb }>>> = {
  lab: () => import('./lab.js'),
  run: () => import('./run.js'),
  reproduce: () => import('./reproduce.js'),
  judge: () => import('./judge.js'),
  report: () => import('./report.js'),
  papers: () => import('./papers.js'),
  verify: () => import('./verify.js'),
  cite: () => import('./cite.js'),
  data: () => import('./data.js'),
  doctor: () => import('./doctor.js'),
  jupyter: () => import('./jupyter.js'),
  bench: () => import('./bench.js'),
  ops: () => import('./ops.js'),
  wgsl: () => import('./wgsl.js'),
  generate: () => import('./generate.js'),
  eval: () => import('./eval.js'),
  fit: () => import('./fit.js'),
};
