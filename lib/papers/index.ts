/** Papers, their claims, and what runs say about them. */
import { ArgumentError, show } from '../core/errors.js';
import { based } from './based/index.js';
import { bigmac } from './bigmac/index.js';
import { chinchillaPaper } from './chinchilla/index.js';
import { chinchillaReplication } from './chinchilla-replication/index.js';
import { flashattention } from './flashattention/index.js';
import { gqa } from './gqa/index.js';
import { kaplanScalingLaws } from './kaplan-scaling-laws/index.js';
import { kvCaching } from './kv-caching/index.js';
import { languiniKitchen } from './languini-kitchen/index.js';
import { lightningAttentionPaper } from './lightning-attention/index.js';
import { mamba } from './mamba/index.js';
import { mqa } from './mqa/index.js';
import { overTrainingPaper } from './over-training/index.js';
import type { Experiment, Paper } from './paper.js';
import { pythia } from './pythia/index.js';
import { retnet } from './retnet/index.js';
import { rope } from './rope/index.js';
import { rwkv } from './rwkv/index.js';
import { speculativeMoe } from './speculative-moe/index.js';
import { videollmMod } from './videollm-mod/index.js';

export * from './ledger/index.js';
export type {
  Baseline,
  Done,
  Experiment,
  Findings,
  Paper,
  Part,
  Plain,
  Results,
  Setup,
  SetupData,
  Task,
  TaskContext,
  TaskProgress,
} from './paper.js';
export {
  baselinesOf,
  dataOf,
  estimateExperiment,
  inProcess,
  makeRun,
  preview,
  runExperiment,
  unknownProvenance,
  type Estimate,
  type Executor,
  type ExperimentEvent,
  type ExperimentOptions,
  type ExperimentResult,
  type Judged,
  type PartEstimate,
  type Provenance,
} from './run-experiment.js';
export { readRunFile, readRuns, WORDS_FILE } from './read-runs.js';
export { dataText, missingData, openSetup } from './setup.js';
export { answerBatch, answeringModel, answerSequences } from './sequence-answers.js';
export { trainOnSequences } from './sequence-training.js';

/** All papers by slug. */
export const papers = {
  mamba,
  chinchilla: chinchillaPaper,
  'chinchilla-replication': chinchillaReplication,
  'over-training': overTrainingPaper,
  pythia,
  'kaplan-scaling-laws': kaplanScalingLaws,
  'languini-kitchen': languiniKitchen,
  bigmac,
  'speculative-moe': speculativeMoe,
  'videollm-mod': videollmMod,
  flashattention,
  'kv-caching': kvCaching,
  mqa,
  retnet,
  'lightning-attention': lightningAttentionPaper,
  rwkv,
  gqa,
  rope,
  based,
} satisfies Record<string, Paper>;

/** All papers in order of their slugs. */
export function listPapers(): Paper[] {
  return Object.values<Paper>(papers).sort((a, b) => (a.id < b.id ? -1 : 1));
}

/** A paper by slug. @throws ArgumentError naming the slugs there are */
export function paperOf(slug: string): Paper {
  const all: Record<string, Paper> = papers;
  if (Object.hasOwn(all, slug)) return all[slug];
  throw new ArgumentError(`paperOf: slug must be one of ${Object.keys(all).join(', ')}, got ${show(slug)}`);
}

/** An experiment of a paper by its name. @throws ArgumentError naming those there are */
export function experimentOf(paper: Paper, id: string): Experiment {
  const found = paper.experiments.find((experiment) => experiment.id === id);
  if (found) return found;
  const names = paper.experiments.map((experiment) => experiment.id).join(', ');
  throw new ArgumentError(`experimentOf: id must be one of ${names}, got ${show(id)}`);
}
