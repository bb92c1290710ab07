/** What a paper's module gives: who wrote what, which claims, and the experiments that measure them. */
import type { BackendName } from '../tensor/backend.js';
import type { TrainingText } from '../tasks/text.js';
import type { Claim, Curve, Measurement, Size } from './ledger/types.js';

/** Values that can be written as JSON and sent between processes. */
export type Plain = null | boolean | number | string | readonly Plain[] | { readonly [key: string]: Plain };

/** A data set of `datasets/` as it was found on this machine. */
export interface SetupData {
  name: string;
  sha256: string;
  bytes: Uint8Array;
}

/** What an experiment runs with. `size` and `backend` alone decide the work; `text` and `data` are the data. */
export interface Setup {
  size: Size;
  backend: BackendName;
  /** For experiments that say they need it; reading it is an error where the setup was opened without. */
  readonly text: TrainingText;
  /** Data sets that were asked for and are on this machine. */
  readonly data?: readonly SetupData[];
}

/** A report of a task that takes long. */
export interface TaskProgress {
  step: number;
  steps: number;
  /** In `unit`. */
  loss?: number;
  tokensPerSecond?: number;
  secondsLeft?: number;
}

/** What a task may use while it runs. */
export interface TaskContext {
  signal?: AbortSignal;
  progress?: (progress: TaskProgress) => void;
  /** Where a task may keep its state between calls; absent where nothing outlives the call. */
  checkpoint?: string;
}

/** One piece of work; `inputs` and the result are plain data, so that it may run in a process of its own. */
export interface Task {
  /** Unique within its part. */
  id: string;
  inputs: { readonly [name: string]: Plain };
}

/** Results of the tasks of one part, in the order of its tasks. */
export interface Done {
  task: Task;
  result: Plain;
}
export type Results = { readonly [part: string]: readonly Done[] };

/** The result of one task of a part, where it was run. */
export function resultOf<T>(results: Results, part: string, id: string): T | undefined {
  return results[part]?.find((done) => done.task.id === id)?.result as T | undefined;
}

/** A step of an experiment: tasks that do not depend on each other, only on earlier parts. */
export interface Part {
  name: string;
  /** One line for people. */
  about: string;
  /** Tasks run in processes of their own, side by side, and are resumed when they were interrupted. */
  isolated: boolean;
  /** Earlier parts whose results decide what this one does; it is left out when one of them is. */
  needs?: readonly string[];
  /** Short tasks whose results `seconds` needs; they run before the experiment. */
  probes?: readonly Task[];
  /** Expected wall time with `workers` tasks at a time; `isDone` tells what an earlier run has finished. */
  seconds(probes: readonly Done[], workers: number, isDone: (task: Task) => boolean): number;
  tasks(results: Results): readonly Task[];
  run(task: Task, context: TaskContext): Promise<Plain>;
}

/** What the parts add up to: the contents of a run file. */
export interface Findings {
  config: { readonly [name: string]: Plain };
  measurements: { readonly [claim: string]: readonly Measurement[] };
  curves: readonly Curve[];
  /** Of weights and losses, where the backend is deterministic. */
  fingerprint?: string;
  /** Figures of other programs on the same data, printed beside the claims. */
  baselines?: readonly Baseline[];
}

/** A number beside the claims: what something simpler reaches. */
export interface Baseline {
  name: string;
  value: number;
  unit: string;
  note: string;
}

/** What measures some claims of a paper: it is estimated, run, resumed and recorded by itself. */
export interface Experiment {
  /** Unique within its paper. */
  id: string;
  /** One line for people. */
  about: string;
  /** Ids of the claims it measures. */
  claims: readonly string[];
  /** Does it train or score on the text of the setup? Default no. */
  text?: boolean;
  /** Names of the data sets it reads; where one is not on this machine the experiment is left out. */
  datasets?: readonly string[];
  /** Parts in order at the size of the setup. */
  parts(setup: Setup): readonly Part[];
  collect(results: Results, setup: Setup): Findings;
}

/** A paper: its claims and the experiments that measure them. */
export interface Paper {
  /** Slug. */
  id: string;
  title: string;
  year: number;
  /** With version. */
  arxiv: string;
  authors: string;
  /** Algorithm family the claims are about. */
  family: string;
  claims: readonly Claim[];
  experiments: readonly Experiment[];
}
