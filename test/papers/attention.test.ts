/** Papers about softmax attention: what their experiments find at the smallest size. */
import { describe, expect, it } from 'vitest';
import {
  experimentOf,
  judge,
  makeRun,
  openSetup,
  papers,
  preview,
  runExperiment,
  type Paper,
} from '../../lib/papers/index.js';
import { TILES } from '../../lib/papers/flashattention/exactness.js';

const { flashattention, 'kv-caching': caching, mqa } = papers;

/** Outcomes of the claims of an experiment at size smoke. */
async function outcomes(paper: Paper, id: string): Promise<Record<string, string>> {
  const setup = await openSetup({ size: 'smoke', threads: 1, text: 'none' });
  const experiment = experimentOf(paper, id);
  const run = makeRun(paper, experiment, setup, await runExperiment(experiment, { setup }));
  return Object.fromEntries(
    preview(paper, [run])
      .filter(({ claim }) => experiment.claims.includes(claim.id))
      .map(({ claim, judgement }) => [claim.id.slice(paper.id.length + 1), judgement.outcome]),
  );
}

describe('the counted claims', () => {
  it('of FlashAttention hold: exact, N^2 d^2 / M words, linear memory', async () => {
    expect(await outcomes(flashattention, 'counts')).toEqual({
      exact: 'supports',
      'memory-accesses': 'supports',
      'fewer-accesses': 'supports',
      'linear-memory': 'supports',
    });
    expect(TILES).toContain(1);
  }, 60_000);

  it('of key/value caches hold: the same logits, linear steps, 2 L H d T b bytes', async () => {
    expect(await outcomes(caching, 'counts')).toEqual({
      'same-logits': 'supports',
      'operations-per-token': 'supports',
      bytes: 'supports',
    });
  }, 60_000);

  it('of one shared head hold: n/d words an operation, a cache h times smaller', async () => {
    expect(await outcomes(mqa, 'counts')).toEqual({ intensity: 'supports', cache: 'supports' });
  }, 60_000);
});

describe('the timed claims', () => {
  it.each([flashattention, caching, mqa])('of $id are not judged by the smallest size', async (paper) => {
    const found = await outcomes(paper, 'timing');
    expect(Object.values(found)).toEqual(Object.keys(found).map(() => 'not-run'));
  });

  it('stay not attempted without a run, and say why they cannot be tested where they cannot', () => {
    for (const paper of [flashattention, caching, mqa] as Paper[])
      for (const claim of paper.claims) {
        expect(judge(claim, []).word).toBe('not attempted');
        expect(Boolean(claim.criterion) !== Boolean(claim.notTestable)).toBe(true);
      }
  });
});
