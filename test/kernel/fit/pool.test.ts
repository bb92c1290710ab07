import { describe, expect, it } from 'vitest';
import { openFitPool, workerFile } from '../../../kernel/fit/pool.js';
import { CancelledError } from '../../../lib/core/errors.js';
import { fitLaw } from '../../../lib/families/scaling-laws/index.js';
import { planted } from '../../families/scaling-laws-planted.js';
import { root } from '../../structure/support.js';

const built = workerFile(root) !== undefined;
const columns = planted('power-offset', 0.01, 1);

describe('a pool of one', () => {
  it('works in the calling thread', async () => {
    const pool = openFitPool(root, 1);
    expect(pool.workers).toBe(1);
    expect((await fitLaw('power-offset', columns, { executor: pool.executor })).converged).toBe(true);
    await pool.close();
  });
});

describe.skipIf(!built)('a pool of worker threads (needs the build: node kernel/build.mjs)', () => {
  it('gives the same bits as one thread, however many there are', async () => {
    const alone = await fitLaw('power-offset', columns, { bootstrap: 130, seed: 5 });
    for (const workers of [2, 3]) {
      const pool = openFitPool(root, workers);
      try {
        const fit = await fitLaw('power-offset', columns, {
          bootstrap: 130,
          seed: 5,
          executor: pool.executor,
        });
        expect(JSON.stringify(fit)).toBe(JSON.stringify(alone));
      } finally {
        await pool.close();
      }
    }
  });

  it('is cancelled in the middle of its work, and can work again', async () => {
    const pool = openFitPool(root, 2);
    const controller = new AbortController();
    const run = fitLaw('power-offset', columns, {
      bootstrap: 5000,
      executor: pool.executor,
      signal: controller.signal,
      onProgress: ({ stage, done }) => stage === 'bootstrap' && done >= 25 && controller.abort(),
    });
    await expect(run).rejects.toThrow(CancelledError);
    const again = await fitLaw('power-offset', columns, { bootstrap: 50, executor: pool.executor });
    expect(again.bootstrap?.resamples).toBe(50);
    await pool.close();
  });

  it('passes on what went wrong in a worker', async () => {
    const pool = openFitPool(root, 2);
    const job = {
      problem: {
        law: 'no-such-law',
        rows: new Float64Array(1),
        response: new Float64Array(1),
        settings: { delta: 1e-3, reduction: 'sum' as const, fixed: {}, equal: {} },
      },
      task: { kind: 'starts' as const, starts: [], options: {} },
    };
    await expect(pool.executor([job, job], {})).rejects.toThrow(/lawOf: id must be one of/);
    await pool.close();
  });
});
