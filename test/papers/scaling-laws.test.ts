import { describe, expect, it } from 'vitest';
import {
  listPapers,
  makeRun,
  missingData,
  openSetup,
  paperOf,
  preview,
  runExperiment,
  type Claim,
  type Experiment,
  type Paper,
  type Run,
  type Setup,
} from '../../lib/papers/index.js';
import { analyse } from '../../lib/papers/ledger/analysis.js';
import { checkClaim } from '../../lib/papers/ledger/claims.js';
import type { Analysis, Measurement } from '../../lib/papers/ledger/types.js';
import { publicWord } from '../../lib/papers/ledger/words.js';
import { figures } from '../../lib/report/index.js';
import { dataText } from '../../lib/papers/setup.js';

const SLUGS = ['chinchilla', 'chinchilla-replication', 'over-training', 'pythia'];
const papers = SLUGS.map(paperOf);
const datasets = papers.flatMap((paper) => paper.experiments.flatMap((e) => e.datasets ?? []));
const setup = await openSetup({ size: 'smoke', text: 'none', datasets });

/** The words that fixed data gives, whoever computes them. */
const WORDS: Record<string, string> = {
  'chinchilla/equal-scaling': 'reproduced in shape',
  'chinchilla/interval-of-a': 'not reproduced',
  'chinchilla/published-parameters': 'not reproduced',
  'chinchilla/optimal-size': 'reproduced',
  'chinchilla-replication/estimates': 'reproduced',
  'chinchilla-replication/poor-fit': 'reproduced',
  'chinchilla-replication/narrow-intervals': 'reproduced',
  'chinchilla-replication/compatible-exponent': 'reproduced',
  'chinchilla-replication/early-stop': 'reproduced',
  'chinchilla-replication/rounding': 'reproduced',
  'chinchilla-replication/five-points': 'reproduced',
  'chinchilla-replication/budget': 'reproduced',
  'over-training/constant-exponent': 'reproduced',
  'over-training/extrapolation': 'reproduced',
  'pythia/deduplication': 'inconclusive',
  'pythia/order-of-sizes': 'reproduced',
};

async function runOf(paper: Paper, experiment: Experiment): Promise<Run> {
  return makeRun(paper, experiment, setup, await runExperiment(experiment, { setup }));
}

for (const paper of papers)
  for (const experiment of paper.experiments) {
    const reason = missingData(experiment, setup);
    describe.skipIf(reason)(`${paper.id} ${experiment.id}${reason ? ` (${reason})` : ''}`, () => {
      it('judges its claims on published data at size smoke, and names the data in the run', async () => {
        const run = await runOf(paper, experiment);
        expect(run.data.map(({ name }) => name)).toEqual(experiment.datasets ?? []);
        expect(run.data.every(({ sha256 }) => /^[0-9a-f]{64}$/.test(sha256))).toBe(true);
        expect(Object.keys(run.measurements).sort()).toEqual([...experiment.claims].sort());
        const judged = preview(paper, [run]).filter(({ claim }) => experiment.claims.includes(claim.id));
        for (const { claim, judgement } of judged) {
          expect([claim.id, judgement.word, judgement.why]).toEqual([
            claim.id,
            WORDS[claim.id],
            expect.any(String),
          ]);
          expect(judgement.controls.filter(({ passed }) => !passed)).toEqual([]);
        }
        expect(figures(paper, run).every(({ series }) => series.length > 0)).toBe(true);
      });
    });
  }

describe('experiments on data sets', () => {
  const [experiment] = paperOf('chinchilla').experiments;
  const without = (): Promise<Setup> => openSetup({ size: 'smoke', text: 'none' });

  it('say what they lack and how to get it, and do not run without it', async () => {
    const lacking = await without();
    expect(missingData(experiment, lacking)).toMatch(
      /it needs chinchilla-points, not on this machine; run "npx --no assay data pull chinchilla-points", or set ASSAY_DATA/,
    );
    expect(missingData(paperOf('over-training').experiments[0], lacking)).not.toMatch(/data pull/);
    await expect(runExperiment(experiment, { setup: lacking })).rejects.toThrow(
      /parametric-fit must have its data: it needs chinchilla-points/,
    );
    expect(() => dataText(lacking, 'chinchilla-points')).toThrow(/must be opened, got no data set/);
  });

  it('need nothing where a paper computes from constants alone', async () => {
    const paper = paperOf('chinchilla');
    const own = paper.experiments.find(({ id }) => id === 'optimal-size')!;
    const lacking = await without();
    const run = makeRun(paper, own, lacking, await runExperiment(own, { setup: lacking }));
    expect(run.data).toEqual([]);
    const [judged] = preview(paper, [run]).filter(({ claim }) => claim.id === 'chinchilla/optimal-size');
    expect(judged.judgement.word).toBe('reproduced');
  });

  it('hold each claim with a criterion in one experiment, and all of scaling laws are listed', () => {
    for (const paper of listPapers().filter(({ family }) => family === 'scaling-laws')) {
      const measured = paper.experiments.flatMap(({ claims }) => claims);
      const judged = paper.claims.filter(({ criterion }) => criterion).map(({ id }) => id);
      expect([...measured].sort()).toEqual([...judged].sort());
    }
  });
});

describe('the analysis of an interval that a run computed', () => {
  const analysis: Analysis = {
    kind: 'interval',
    arm: 'x',
    confidence: 0.95,
    support: { below: 1 },
    refute: [{ above: 2 }],
  };
  const of = (value: number, low?: number, high?: number): Measurement[] => [
    { arm: 'x', value },
    ...(low === undefined ? [] : [{ arm: 'x-low', value: low }]),
    ...(high === undefined ? [] : [{ arm: 'x-high', value: high }]),
  ];
  const outcome = (...values: [number, number?, number?]): string =>
    analyse(analysis, of(...values), []).outcome;

  it('supports or refutes when the whole interval lies in a region, else stays open', () => {
    expect(outcome(0.5, 0.1, 0.9)).toBe('supports');
    expect(outcome(3, 2.5, 4)).toBe('refutes');
    expect(outcome(0.5, 0.1, 1.1)).toBe('inconclusive');
    expect(outcome(1.5, 1.2, 1.8)).toBe('inconclusive');
  });

  it('takes a value without ends for exact, and one end alone or NaN for nothing', () => {
    expect(outcome(0.5)).toBe('supports');
    expect(outcome(1)).toBe('inconclusive');
    expect(analyse(analysis, of(0.5), []).why).toBe('x, 0.5, lies below 1.');
    expect(analyse(analysis, of(0.5, 0.1), [])).toMatchObject({ outcome: 'inconclusive', missing: true });
    expect(outcome(NaN)).toBe('inconclusive');
    expect(outcome(0.5, NaN, 0.9)).toBe('inconclusive');
    expect(analyse(analysis, [], [])).toMatchObject({ missing: true });
  });

  it('pools runs by the widest ends', () => {
    const finding = analyse(analysis, [...of(0.5, 0.4, 0.6), ...of(0.5, 0.1, 0.9)], []);
    expect(finding.interval).toMatchObject({ low: 0.1, high: 0.9 });
  });

  it('is a shape only where the quantity is one, so that an absolute value at reduced size gets no word', () => {
    const [found] = paperOf('chinchilla').claims;
    const claim = (shape: boolean): Claim => ({
      ...found,
      criterion: { ...found.criterion!, analysis: { ...analysis, shape } },
    });
    expect(publicWord(claim(true), 'supports', [])).toBe('reproduced in shape');
    expect(publicWord(claim(false), 'supports', [])).toBe('inconclusive');
    expect(checkClaim({ ...found, criterion: { ...found.criterion!, analysis } }).join()).toMatch(
      /criterion changed/,
    );
  });
});
