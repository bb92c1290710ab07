/**
 * Records of the ledger: claims have verdicts, papers never do. All records are plain data, so that they can be
 * hashed, stored as JSON and judged anywhere.
 */

export const KINDS = ['identity', 'count', 'reanalysis', 'behaviour', 'timing', 'model'] as const;
/** identity and count are exact; reanalysis uses published data; behaviour trains; model simulates; timing measures. */
export type ClaimKind = (typeof KINDS)[number];

export const SCOPES = ['S0', 'S1', 'S2', 'S3', 'S4'] as const;
/**
 * S4 the paper's data, size and metric; S3 its data or weights at reduced size; S2 scaled-down mechanism;
 * S1 model or simulator; S0 identity or count.
 */
export type Scope = (typeof SCOPES)[number];

export const SIZES = ['smoke', 'lesson', 'full'] as const;
/** smoke: seconds, proves the code path; lesson: minutes on two CPU cores; full: a GPU or hours. */
export type Size = (typeof SIZES)[number];

/** The open interval (above, below); a missing bound is infinite, at least one must be given. */
export interface Region {
  above?: number;
  below?: number;
}

/** A test that holds or fails for every value of an arm. `at` is the swept variable of a measurement. */
export type Predicate =
  /** All values equal, over at least two different `at`. */
  | { is: 'constant' }
  /** Strictly increasing in `at`. */
  | { is: 'increasing' }
  /** |value - target| <= tolerance (0 when missing). */
  | { is: 'equal'; value: number; tolerance?: number }
  /** low <= value <= high. */
  | { is: 'between'; low: number; high: number }
  /** Equal to another arm at the same seed and `at`, within a relative tolerance (0 when missing). */
  | { is: 'equals-arm'; arm: string; relative?: number };

/** What two thresholds decide: the whole interval inside `support`, or inside one of `refute`; else inconclusive. */
export interface Thresholds {
  support: Region;
  refute: readonly Region[];
  /** Of the interval, for example 0.95; 0.9 for an equivalence test at level 0.05 (two one-sided tests). */
  confidence: number;
}

/** How measurements become an outcome. */
export type Analysis =
  /** Exact: supports when the predicate holds for every value of the arm, else refutes. */
  | { kind: 'predicate'; arm: string; predicate: Predicate }
  /**
   * An interval that the run itself computed, for example by resampling published runs: measurements `<arm>`,
   * `<arm>-low` and `<arm>-high` without seeds; without the last two the value is taken for exact. `confidence` says which
   * interval the run computed. `shape`: the quantity is an exponent, a difference or a ratio, not an absolute value.
   */
  | ({ kind: 'interval'; arm: string; shape?: boolean } & Thresholds)
  /** Mean of the arm over seeds. */
  | ({ kind: 'value'; arm: string; at?: number } & Thresholds)
  /** Exponent of value ~ at^p over at >= max(at) / span, one exponent a seed. */
  | ({ kind: 'slope'; arm: string; span?: number } & Thresholds)
  /** arm - against (or arm / against), paired by seed or by Welch. */
  | ({
      kind: 'difference';
      arm: string;
      against: string;
      at?: number;
      scale?: 'difference' | 'ratio';
      pairing?: 'paired' | 'independent';
    } & Thresholds)
  /** Means increase along `arms`: supports when every step does, refutes when one is clearly reversed. */
  | { kind: 'ordering'; arms: readonly string[]; at?: number; confidence: number }
  /** Supports when all parts do, refutes when one does. */
  | { kind: 'all'; of: readonly Analysis[] };

/** A check of the experiment itself; its analysis must come out as `supports`. */
export interface Control {
  name: string;
  /** positive: the effect must be seen where it is known; negative: it must be absent where it cannot be. */
  role: 'positive' | 'negative';
  analysis: Analysis;
}

/** What is measured and what decides; committed before the run that counts. */
export interface Criterion {
  metric: { name: string; unit: string };
  analysis: Analysis;
  controls: readonly Control[];
  /** Disjoint; empty `reporting` only for exact analyses, whose measurements carry no seed. */
  seeds: { tuning: readonly number[]; reporting: readonly number[] };
  /** Sizes whose runs can judge the claim. */
  sizes: readonly Size[];
}

/** An entry of the register: the criterion's hash and the day it was committed; later ones amend earlier ones. */
export interface Registration {
  hash: string;
  /** ISO 8601 date or date and time. */
  date: string;
  note: string;
}

/** A picture of some arms of a claim's measurements. */
export interface ClaimPicture {
  /** In the order of the legend. */
  arms: readonly string[];
  /** What follows the name of the claim in the title; default: the metric. */
  title?: string;
  /** Label of the swept variable; default: tokens T. */
  x?: string;
  /** Default: the unit of the metric. */
  y?: string;
  /** Horizontal lines, for example chance. */
  levels?: readonly { name: string; value: number }[];
}

/** One claim of one paper. */
export interface Claim {
  /** `<paper>/<name>`. */
  id: string;
  paper: string;
  /** arXiv number with version, for example '2312.00752v2'. */
  arxiv: string;
  /** For example 'Section 4.5, Figure 8 (right)'. */
  place: string;
  /** The claim in our words. */
  words: string;
  headline: boolean;
  kind: ClaimKind;
  /** What the paper states, and under which conditions. */
  stated: { text: string; conditions: string };
  scope: Scope;
  /** The claim is itself a formula, so that a count at S0 reproduces it. */
  formula?: boolean;
  /** Exactly one of `criterion` and `notTestable` (the reason) is given. */
  criterion?: Criterion;
  notTestable?: string;
  registered: readonly Registration[];
  /** Where our experiment departs from the paper's. */
  deviations: readonly string[];
  /** How its measurements are drawn, which decides nothing; default: one picture of all arms. */
  pictures?: readonly ClaimPicture[];
  /** Which independent program agrees with the implementation measured here, where one does. */
  independent?: string;
}

/** One number. */
export interface Measurement {
  arm: string;
  value: number;
  seed?: number;
  /** The swept variable, for example the context length. */
  at?: number;
}

/** A training or sweep curve, kept whole. */
export interface Curve {
  arm: string;
  seed?: number;
  label: string;
  x: readonly number[];
  y: readonly number[];
}

/** The machine without names of host or user. */
export interface DeviceCard {
  /** Short slug for file names, for example 'linux-x64-2c' or 'h200'. */
  slug: string;
  platform: string;
  arch: string;
  cpu: string;
  cores: number;
  memoryGiB: number;
  /** For example 'Node 20.19.0'. */
  runtime: string;
  /** GPU adapter, where one was used. */
  adapter?: string;
}

/** One recorded execution; never changed after it was written. */
export interface Run {
  format: 1;
  /** sha256 of the canonical JSON of everything else. */
  id: string;
  paper: string;
  /** Experiment of the paper; runs recorded before papers had several hold none. */
  experiment?: string;
  size: Size;
  backend: string;
  /** ISO 8601 date and time. */
  started: string;
  wallSeconds: number;
  status: 'complete' | 'failed' | 'cancelled';
  /** Why a run failed. */
  failure?: string;
  /** The code had uncommitted changes. */
  dirty: boolean;
  code: { commit: string; hash: string };
  /** sha256 of the package lock file. */
  lock: string;
  data: readonly { name: string; sha256: string }[];
  device: DeviceCard;
  config: { readonly [name: string]: unknown };
  /** Criterion hash of each claim measured. */
  criteria: { readonly [claim: string]: string };
  measurements: { readonly [claim: string]: readonly Measurement[] };
  curves: readonly Curve[];
  /** Fingerprint of weights and losses, where the backend is deterministic. */
  fingerprint?: string;
}

export type Outcome = 'supports' | 'refutes' | 'inconclusive' | 'not-run' | 'not-testable';
export type Evidence = 'strong' | 'fair' | 'anecdotal' | 'none';
export const WORDS = [
  'reproduced',
  'reproduced in shape',
  'contradicted',
  'not reproduced',
  'inconclusive',
  'not attempted',
] as const;
/** The public word, always derived. */
export type Word = (typeof WORDS)[number];

/** How a control came out. */
export interface ControlResult {
  name: string;
  role: 'positive' | 'negative';
  passed: boolean;
  why: string;
}

/** What a claim's runs say; computed, never stored as truth. */
export interface Judgement {
  claim: string;
  outcome: Outcome;
  scope: Scope;
  evidence: Evidence;
  word: Word;
  /** One sentence. */
  why: string;
  estimate?: number;
  interval?: { low: number; high: number; confidence: number };
  controls: readonly ControlResult[];
  /** Ids of the runs that count, sorted. */
  counted: readonly string[];
  /** Runs of this claim that do not count, and why. */
  excluded: readonly { run: string; reason: string }[];
  /** The code had uncommitted changes: a preview, not a judgement. */
  provisional: boolean;
}
