/** What decides the claims of Based. A changed criterion needs a new entry in register.ts. */
import { ANY_SIZE, between, equal, negative, NO_SEEDS, positive } from '../claim-entries.js';
import { exponent } from '../exponents.js';
import type { Analysis, Control, Criterion } from '../ledger/types.js';

export const RECALL_CLAIMS = ['based/recall-by-state', 'based/taylor-features', 'based/window-helps'];
export const recallSeeds = { tuning: [101], reporting: [1, 2, 3, 4, 5] };

const all = (of: readonly Analysis[]): Analysis => ({ kind: 'all', of });
const holds = (arm: string, is: 'constant' | 'increasing'): Analysis => ({
  kind: 'predicate',
  arm,
  predicate: { is },
});

export const taylorMap: Criterion = {
  metric: { name: 'largest difference of phi(q).phi(k) from 1 + s + s²/2', unit: '' },
  analysis: all([
    between('taylor', 0, 1e-12),
    between('taylor, each product once', 0, 1e-12),
    equal('features: taylor', 273, 0),
    equal('features: each product once', 153, 0),
  ]),
  controls: [negative('another feature map is not that series', between('1 + elu', 0.1, 1e9))],
  seeds: NO_SEEDS,
  sizes: ANY_SIZE,
};

export const stateBytes: Criterion = {
  metric: { name: 'memory one layer keeps of one sequence', unit: 'bytes' },
  analysis: all([
    holds('taylor state', 'constant'),
    holds('window of 64', 'constant'),
    exponent('state over d′', 1.8, 2.05),
  ]),
  controls: [negative('a key/value cache grows', holds('key/value cache', 'increasing'))],
  seeds: NO_SEEDS,
  sizes: ANY_SIZE,
};

/** arm - against, paired by seed. */
const ahead = (arm: string, against: string, by: number): Analysis => ({
  ...{ kind: 'difference', arm, against, confidence: 0.95 },
  ...{ support: { above: by }, refute: [{ below: by }] },
});
const equalArms = (name: string, arm: string, other: string, relative: number): Control =>
  positive(name, { kind: 'predicate', arm, predicate: { is: 'equals-arm', arm: other, relative } });

/** The experiment can tell: attention solves the task, and what two windows reach is no help. */
const controls: readonly Control[] = [
  positive('full attention solves the task', {
    ...{ kind: 'value', arm: 'attention', confidence: 0.95 },
    ...{ support: { above: 0.95 }, refute: [{ below: 0.95 }] },
  }),
  negative('windows alone stay at the share of answers within their reach, and chance', {
    ...{ kind: 'difference', arm: 'only windows', against: 'share of the windows', confidence: 0.95 },
    ...{ support: { below: 0.06 }, refute: [{ above: 0.06 }] },
  }),
  equalArms('all read the same number of tokens', 'large state-tokens', 'small state-tokens', 0),
];

const ACCURACY = { name: 'share of values named on fresh sequences', unit: '' };
const recall = (analysis: Analysis, more: readonly Control[] = []): Criterion => ({
  metric: ACCURACY,
  analysis,
  controls: [...controls, ...more],
  seeds: recallSeeds,
  sizes: ['lesson', 'full'],
});

export const recallByState = recall({
  kind: 'ordering',
  arms: ['small state', 'middle state', 'large state'],
  confidence: 0.95,
});

export const taylorFeatures = recall(ahead('middle state', '1 + elu', 0.05), [
  equalArms('both states have as many bytes within 15 %', 'middle state-bytes', '1 + elu-bytes', 0.15),
]);

export const windowHelps = recall(ahead('middle state', 'without a window', 0.1), [
  negative('the model without a window keeps no less', {
    ...{ kind: 'interval', arm: 'bytes over those with a window', shape: true, confidence: 0.95 },
    ...{ support: { above: 1 }, refute: [{ below: 1 }] },
  }),
]);
