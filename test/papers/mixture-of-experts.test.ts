import { beforeAll, describe, expect, it } from 'vitest';
import {
  experimentOf,
  judge,
  makeRun,
  openSetup,
  papers,
  preview,
  runExperiment,
  type ExperimentResult,
  type Paper,
  type Setup,
} from '../../lib/papers/index.js';
import { figures, toSvg } from '../../lib/report/index.js';
import {
  BIGMAC,
  clusterNetwork,
  fastestLink,
  FINE_GRAINED,
  gain,
  innerWidth,
  layerCounts,
  shareNeeded,
} from '../../lib/papers/bigmac/model.js';
import { measureTraffic } from '../../lib/papers/speculative-moe/traffic.js';
import {
  keptPerToken,
  LLAMA_8B,
  parametersOf,
  savedBytes,
  savedFlops,
  tokensThatFit,
  trainingBytes,
} from '../../lib/papers/videollm-mod/model.js';

const { bigmac, 'speculative-moe': speculative, 'videollm-mod': videollm } = papers;
const measured: [Paper, string][] = [
  [bigmac, 'communication'],
  [videollm, 'skipping'],
  [speculative, 'placement'],
];
let setup: Setup;
const results = new Map<Paper, ExperimentResult>();

beforeAll(async () => {
  setup = await openSetup({ size: 'smoke', threads: 1, text: 'none' });
  for (const [paper, experiment] of measured)
    results.set(paper, await runExperiment(experimentOf(paper, experiment), { setup }));
}, 120_000);

const runOf = (paper: Paper, experiment: string) =>
  makeRun(paper, experimentOf(paper, experiment), setup, results.get(paper)!);
const outcomes = (paper: Paper, experiment: string) =>
  Object.fromEntries(
    preview(paper, [runOf(paper, experiment)]).map(({ claim, judgement }) => [
      claim.id.slice(paper.id.length + 1),
      [judgement.outcome, judgement.word],
    ]),
  );

describe('the smoke runs of the papers on mixtures of experts', () => {
  it.each(measured)('measure every claim that has a criterion and draw figures: %#', (paper, experiment) => {
    const judged = paper.claims.filter((claim) => claim.criterion).map((claim) => claim.id);
    expect([...experimentOf(paper, experiment).claims].sort()).toEqual([...judged].sort());
    const pictures = paper.claims.flatMap((claim) => claim.pictures ?? []).filter(({ x }) => x !== undefined);
    const drawn = figures(paper, runOf(paper, experiment));
    expect(drawn.length).toBeGreaterThanOrEqual(pictures.length);
    for (const figure of drawn) expect(toSvg(figure)).toMatch(/^<svg/);
  });

  it.each(measured)('pass all controls: %#', (paper, experiment) => {
    for (const { judgement } of preview(paper, [runOf(paper, experiment)]))
      expect(judgement.controls.filter((control) => !control.passed)).toEqual([]);
  });

  it('count exactly, and leave what a model shows without a word', () => {
    expect(outcomes(bigmac, 'communication')).toEqual({
      'bytes-per-token': ['supports', 'reproduced'],
      'equal-parameters': ['supports', 'reproduced'],
      'training-latency': ['supports', 'inconclusive'],
      'inference-throughput': ['supports', 'inconclusive'],
      quality: ['not-testable', 'not attempted'],
    });
    expect(outcomes(videollm, 'skipping')).toEqual({
      'layer-cost': ['supports', 'reproduced'],
      'training-time': ['supports', 'inconclusive'],
      'training-memory': ['supports', 'inconclusive'],
      quality: ['not-testable', 'not attempted'],
    });
    expect(outcomes(speculative, 'placement')).toEqual({
      'remote-share': ['supports', 'inconclusive'],
      copies: ['supports', 'inconclusive'],
      lossless: ['supports', 'reproduced'],
      links: ['refutes', 'inconclusive'],
      throughput: ['not-testable', 'not attempted'],
    });
  });

  it('would not be supported without affinity: the same runs with every value that of affinity 0', () => {
    const run = runOf(speculative, 'placement');
    const claim = speculative.claims.find(({ id }) => id === 'speculative-moe/remote-share')!;
    const flat = run.measurements[claim.id].map((m) => {
      const zero = run.measurements[claim.id].find((n) => n.arm === m.arm && n.seed === m.seed && n.at === 0);
      return { ...m, value: zero?.value ?? NaN };
    });
    const flipped = { ...run, dirty: false, measurements: { ...run.measurements, [claim.id]: flat } };
    expect(judge(claim, [flipped]).outcome).not.toBe('supports');
  });
});

describe('the model of BigMac', () => {
  const training = { tokens: 4096, training: true };

  it('keeps the parameters of the experts and adds two projections', () => {
    expect(innerWidth(BIGMAC)).toBe(8 * 1408);
    const added = layerCounts(BIGMAC).parameters - layerCounts(FINE_GRAINED).parameters;
    expect(added).toBe(2 * 2048 * 256);
    expect(layerCounts(FINE_GRAINED).parameters).toBe(66 * 3 * 2048 * 1408 + 2048 * 64);
  });

  it('finds the link on which the gain is what was asked for', () => {
    const link = fastestLink(3.09, training);
    expect(gain({ ...training, network: clusterNetwork(link) })).toBeCloseTo(3.09, 6);
    expect(gain({ ...training, network: clusterNetwork(2 * link) })).toBeLessThan(3.09);
    expect(fastestLink(9, training)).toBe(0);
  });

  it('needs 77 % of the time for communication to gain 3.09 at an eighth of the width', () => {
    const share = shareNeeded(3.09, 8);
    expect(share).toBeCloseTo(0.773, 3);
    expect(1 / (1 - share + share / 8)).toBeCloseTo(3.09, 12);
  });
});

describe('the model of VideoLLM-MoD', () => {
  const none = { vision: 1, kept: 1, every: Infinity };

  it('has the parameters of Llama 3 8B', () => {
    expect(parametersOf(LLAMA_8B) / 8.03e9).toBeCloseTo(1, 3);
  });

  it('saves nothing where no layer skips, and by hand where one of two does', () => {
    expect(savedFlops(LLAMA_8B, 1000, none)).toBe(0);
    const shape = { layers: 2, width: 1, inner: 1, keyValue: 1, vocabulary: 1, bytes: 2 };
    // A layer: 14 n linear, 2 n (n + 1) attention; head 2 n; 10 tokens of which 2 are kept, router 2 * 10.
    const full = 2 * (140 + 220) + 20;
    const less = 140 + 220 + (28 + 12) + 20 + 20;
    expect(savedFlops(shape, 10, { vision: 1, kept: 0.2, every: 2 })).toBeCloseTo(1 - less / full, 12);
  });

  it('counts memory by hand and fills a device', () => {
    const shape = { layers: 2, width: 1, inner: 1, keyValue: 1, vocabulary: 1, bytes: 2 };
    expect(keptPerToken(shape)).toBe(2 * (6 + 2 + 4));
    // Weights 2 (2 * 7 + 2), activations of two layers, logits of 6 bytes.
    expect(trainingBytes(shape, 10, none)).toBe(32 + 20 * 24 + 60);
    expect(savedBytes(shape, 10, { vision: 1, kept: 0.2, every: 2 })).toBeCloseTo((8 * 24) / 572, 12);
    const tokens = tokensThatFit(LLAMA_8B, 80e9);
    expect(trainingBytes(LLAMA_8B, tokens, none)).toBeLessThanOrEqual(80e9);
    expect(trainingBytes(LLAMA_8B, tokens + 1, none)).toBeGreaterThan(80e9);
  });
});

describe('the traffic of Speculative MoE', () => {
  it('is the same again for a seed', () => {
    expect(measureTraffic(0.5, 7)).toEqual(measureTraffic(0.5, 7));
  });
});
