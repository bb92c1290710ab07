import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, it } from 'vitest';
import type { SweepOptions } from '../../../kernel/bench/lanes.js';
import { MOE, MOE_SHAPES, MOE_TOKENS, moeRed, sweepMoe } from '../../../kernel/bench/moe.js';
import type { Opponent } from '../../../kernel/bench/opponents/opponent.js';
import { openTorch } from '../../../kernel/bench/opponents/torch.js';
import type { BenchRow } from '../../../kernel/bench/rows.js';
import { ratiosOf } from '../../../kernel/bench/tables.js';
import { openBackend, setThreads } from '../../../lib/index.js';
import { memory } from '../../../lib/tensor/memory.js';

const script = fileURLToPath(
  new URL('../../../kernel/bench/opponents/mixture_of_experts.py', import.meta.url),
);
const SHAPES = [{ E: 3, K: 2, D: 8, F: 12 }];
const liveBytes = () => memory().rows.reduce((sum, row) => sum + row.bytes, 0);

beforeAll(() => openBackend('wasm'));

async function sweep(more: Partial<SweepOptions> = {}, tokens = [1, 16]) {
  const rows: BenchRow[] = [];
  const stops: string[] = [];
  const red: string[] = [];
  const options: SweepOptions = {
    ...{ backends: ['wasm'], threads: [1], callSeconds: 60, totalSeconds: 600, opponents: [] },
    wants: () => true,
    onRow: (row) => rows.push(row),
    onStop: (text) => stops.push(text),
    onRed: (text) => red.push(text),
    ...more,
  };
  await sweepMoe(options, SHAPES, tokens);
  setThreads(1);
  return { rows, stops, red };
}

const constant: Opponent = {
  ...{ name: 'constant', form: 'loop', threads: 1, fits: () => true },
  sampler: () => Promise.resolve({ once: 2, samples: 3, take: () => Promise.resolve(2) }),
};

describe('the sweep of a mixture of experts', () => {
  it('finds the sparse layer and the dense sum equal, forward and backward, before it times them', async () => {
    for (const backend of ['cpu', 'wasm'] as const) expect(await moeRed(backend)).toEqual([]);
  });

  it('times both forms and other programs at every size in both directions, and frees all memory', async () => {
    // Cases that are checked once leave their tensors to the collector, which may come at any time.
    await moeRed('wasm');
    const before = liveBytes();
    const { rows, stops, red } = await sweep({ opponents: [constant] });
    expect(liveBytes()).toBeLessThanOrEqual(before);
    expect([...stops, ...red]).toEqual([]);
    for (const T of [1, 16])
      for (const direction of ['forward', 'forward+backward'])
        for (const who of [undefined, 'wasm masked-dense', 'constant'])
          expect(
            rows.filter((r) => r.dims['T'] === T && r.direction === direction && r.opponent === who),
          ).toHaveLength(1);
    for (const row of rows) expect([row.op, row.flops > 0, row.medianMs > 0]).toEqual([MOE, true, true]);
    const against = ratiosOf(rows).map((r) => r.against);
    expect(new Set(against)).toEqual(new Set(['wasm masked-dense', 'constant']));
  });

  it('leaves out what the filter leaves out, with other programs where nothing of ours is left', async () => {
    const only = await sweep({ wants: ({ form, dims }) => form === 'grouped' && dims.T === 16 });
    expect(only.rows.map((row) => [row.form, row.dims['T']])).toEqual([
      ['grouped', 16],
      ['grouped', 16],
    ]);
    expect((await sweep({ wants: () => false, opponents: [constant] })).rows).toEqual([]);
  });

  it('ends a series before a call that would take too long, and all of it when the time is over', async () => {
    const { rows } = await sweep({ callSeconds: 1e-9 });
    expect(new Set(rows.map((row) => row.dims['T']))).toEqual(new Set([1]));
    const { stops } = await sweep({ totalSeconds: 1e-9 });
    expect(stops).toEqual([expect.stringMatching(/moe-layer ends before T1 .* above --total-seconds/)]);
  });

  it('goes on without a program that fails, and says why', async () => {
    const failing = { ...constant, sampler: () => Promise.reject(new Error('too large')) };
    const { rows, stops } = await sweep({ opponents: [failing] }, [1]);
    expect(rows.length).toBe(4);
    expect(stops[0]).toMatch(/moe-layer constant at T1 E3 K2 D8 F12: Error: too large/);
  });

  it('covers one expert a token and several, from 2 experts to 64, and single tokens', () => {
    expect(MOE_TOKENS).toContain(1);
    for (const { E, K } of MOE_SHAPES) expect(K).toBeLessThanOrEqual(E);
    expect([...new Set(MOE_SHAPES.map(({ E }) => E))]).toEqual([2, 4, 8, 16, 64]);
  });

  it('asks PyTorch for the sizes of its problem, where there is one, which agrees with double precision', async () => {
    expect(existsSync(script)).toBe(true);
    const program = { forms: ['loop', 'sorted'], sizes: ['T', 'E', 'K', 'D', 'F'] };
    const torch = await openTorch(script, [1], program);
    try {
      expect(torch.list.length === 0).toBe(/not run/.test(torch.notes.join()));
      for (const opponent of torch.list) {
        const sampler = await opponent.sampler({ T: 9, ...SHAPES[0] }, 'forward+backward', 100);
        expect(await sampler.take()).toBeGreaterThan(0);
      }
      expect(torch.notes.join()).not.toMatch(/differ/);
    } finally {
      torch.dispose();
    }
  });
});
