import { sealRun } from '../../lib/papers/ledger/index.js';
import { criterionHash } from '../../lib/papers/ledger/canonical.js';
import type { Claim, Criterion, Measurement, Run } from '../../lib/papers/ledger/types.js';

export const REPORTING = [11, 12, 13, 14, 15];

/** "Arm a reaches the loss of arm b within 0.02", with one control, registered in time. */
export const criterion: Criterion = {
  metric: { name: 'validation loss', unit: 'bits per byte' },
  analysis: {
    kind: 'difference',
    arm: 'a',
    against: 'b',
    confidence: 0.9,
    support: { below: 0.02 },
    refute: [{ above: 0.02 }],
  },
  controls: [
    {
      name: 'both beat the unigram model',
      role: 'positive',
      analysis: {
        kind: 'difference',
        arm: 'a',
        against: 'unigram',
        confidence: 0.95,
        support: { below: 0 },
        refute: [{ above: 0 }],
      },
    },
  ],
  seeds: { tuning: [1, 2], reporting: REPORTING },
  sizes: ['lesson', 'full'],
};

export function makeClaim(changes: Partial<Claim> = {}): Claim {
  const claim: Claim = {
    id: 'paper/loss',
    paper: 'paper',
    arxiv: '2401.00001v1',
    place: 'Table 1',
    words: 'a reaches the loss of b.',
    headline: true,
    kind: 'behaviour',
    stated: { text: 'equal loss', conditions: 'at 100 M parameters' },
    scope: 'S2',
    criterion,
    registered: [],
    deviations: [],
    independent: 'another program',
    ...changes,
  };
  if (claim.registered.length > 0 || !claim.criterion) return claim;
  return { ...claim, registered: [{ hash: criterionHash(claim), date: '2026-01-01', note: 'first' }] };
}

/** Losses of a and b with the given mean difference, and a unigram control. */
export function losses(
  difference: number,
  seeds: readonly number[] = REPORTING,
  spread = 0.003,
): Measurement[] {
  return seeds.flatMap((seed, i) => [
    { arm: 'a', seed, value: 2 + difference + spread * ((i % 3) - 1) },
    { arm: 'b', seed, value: 2 + spread * ((i % 2) - 0.5) },
    { arm: 'unigram', seed, value: 4.7 },
  ]);
}

export function makeRun(
  claim: Claim,
  measurements: readonly Measurement[],
  changes: Partial<Omit<Run, 'id'>> = {},
): Run {
  return sealRun({
    format: 1,
    paper: claim.paper,
    size: 'lesson',
    backend: 'wasm',
    started: '2026-02-03T04:05:06Z',
    wallSeconds: 60,
    status: 'complete',
    dirty: false,
    code: { commit: 'abc123', hash: 'def456' },
    lock: '0'.repeat(64),
    data: [{ name: 'text', sha256: '1'.repeat(64) }],
    device: {
      slug: 'linux-x64-2c',
      platform: 'linux',
      arch: 'x64',
      cpu: 'Some CPU',
      cores: 2,
      memoryGiB: 8,
      runtime: 'Node 20.19.0',
    },
    config: { width: 64, rates: [0.001, 0.003] },
    criteria: { [claim.id]: claim.criterion ? criterionHash(claim) : '2'.repeat(64) },
    measurements: { [claim.id]: measurements },
    curves: [],
    ...changes,
  });
}
