import { describe, expect, it } from 'vitest';
import { alternate, measure, sampler, timingOf } from '../../../kernel/bench/measure.js';
import { Bench, inputShapes } from '../../../kernel/bench/operators.js';
import type { Opponent } from '../../../kernel/bench/opponents/opponent.js';
import type { BenchRow } from '../../../kernel/bench/rows.js';
import { largestTensor, problemBytes, type SweepOptions } from '../../../kernel/bench/lanes.js';
import { isWanted, runSweep } from '../../../kernel/bench/sweep.js';
import { dimsAt, SWEEPS } from '../../../kernel/bench/sweeps.js';
import { openBackend, operator } from '../../../lib/index.js';
import { memory } from '../../../lib/tensor/memory.js';

const liveBytes = () => memory().rows.reduce((sum, row) => sum + row.bytes, 0);

/** A sweep of one small shape. */
async function sweep(more: Partial<SweepOptions> = {}) {
  await openBackend('wasm');
  const rows: BenchRow[] = [];
  const stops: string[] = [];
  const red: string[] = [];
  await runSweep(
    {
      op: 'selective-scan',
      shapes: [{ B: 1, D: 8, N: 4, G: 1 }],
      steps: [{ B: 2, T: 1, D: 8, N: 4, G: 1 }],
    },
    {
      ...{ backends: ['wasm'], threads: [1, 2], callSeconds: 60, totalSeconds: 600, from: 16, to: 32 },
      opponents: [],
      wants: () => true,
      onRow: (row) => rows.push(row),
      onStop: (text) => stops.push(text),
      onRed: (text) => red.push(text),
      ...more,
    },
  );
  return { rows, stops, red, timed: rows.filter((row) => row.op !== 'copy') };
}

describe('a sweep', () => {
  it('times every form that the record has on a backend, at every length, in every direction, and frees all memory', async () => {
    const before = liveBytes();
    const { rows, timed, red } = await sweep();
    expect(liveBytes()).toBe(before);
    expect(red).toEqual([]);
    const { forms } = operator('selective-scan').record;
    const expected = Object.keys(forms).filter(
      (form) => !['reference', 'step'].includes(form) && forms[form as keyof typeof forms]?.wasm,
    );
    for (const form of expected)
      for (const threads of [1, 2])
        for (const T of [16, 32])
          for (const direction of ['forward', 'forward+backward']) {
            const found = timed.filter(
              (r) =>
                r.form === form && r.threads === threads && r.dims['T'] === T && r.direction === direction,
            );
            expect(found).toHaveLength(1);
          }
    expect(timed.filter((row) => row.direction === 'step').map((row) => row.threads)).toEqual([1, 2]);
    expect(rows.filter((row) => row.op === 'copy').map((row) => row.threads)).toEqual([1, 2]);
    for (const row of timed) {
      expect(row.repeats).toBeGreaterThanOrEqual(3);
      expect(row.q1Ms).toBeLessThanOrEqual(row.q3Ms);
      expect(row.copyShare).toBeGreaterThan(0);
    }
  }, 120_000);

  it('reports a backward pass as the difference of the two that were timed in turn', async () => {
    const { timed } = await sweep({ threads: [1], to: 16 });
    const backward = timed.filter((row) => row.direction === 'backward');
    expect(backward.every((row) => row.derived === true && row.medianMs > 0)).toBe(true);
    const record = operator('selective-scan').record;
    for (const row of backward) expect(row.flops).toBe(2 * record.flops(row.dims, {}));
  }, 120_000);

  it('ends a series before a call that would take too long, and says so', async () => {
    const { timed, stops } = await sweep({ threads: [1], callSeconds: 1e-9, from: 16, to: 64 });
    expect(timed.filter((row) => row.dims['T'] > 16)).toEqual([]);
    expect(stops.join('\n')).toMatch(/ends before B1 T32 .*above --max-seconds/);
  }, 120_000);

  it('ends as a whole after the total, and says so', async () => {
    const { timed, stops } = await sweep({ threads: [1], totalSeconds: 1e-9 });
    expect(timed.filter((row) => row.direction !== 'step')).toEqual([]);
    expect(stops.join('\n')).toMatch(/above --total-seconds/);
  }, 120_000);

  it('ends although a filter leaves out the longer lengths', async () => {
    const only = ({ dims, form }: { dims: Record<string, number>; form: string }) =>
      dims['T'] === 16 && form === 'recurrent';
    const { timed } = await sweep({ threads: [1], to: Infinity, wants: only });
    expect(new Set(timed.map((row) => row.dims['T']))).toEqual(new Set([16]));
  }, 120_000);

  it('runs other programs where one of ours runs, and goes on without one that fails', async () => {
    const opponent = (name: string, take: () => Promise<number>): Opponent => ({
      ...{ name, form: 'recurrent', threads: 1 },
      fits: ({ T }) => T >= 32,
      sampler: async () => ({ once: 1, samples: 3, take: (await take(), take) }),
    });
    const { timed, stops } = await sweep({
      threads: [1],
      opponents: [
        opponent('steady', async () => 2),
        opponent('broken', async () => {
          throw new Error('no memory');
        }),
      ],
    });
    const steady = timed.filter((row) => row.opponent === 'steady');
    expect(steady.map((row) => [row.dims['T'], row.direction, row.medianMs])).toEqual([
      [32, 'forward', 2],
      [32, 'forward+backward', 2],
    ]);
    expect(timed.some((row) => row.opponent === 'broken')).toBe(false);
    expect(stops.join('\n')).toMatch(/broken forward ends before .*: no memory/);
  }, 120_000);

  it('stops when it is told to', async () => {
    await expect(sweep({ signal: AbortSignal.abort() })).rejects.toThrow(/abort/i);
  }, 120_000);

  it('keeps tensors below 1 GiB and a sixteenth of memory', () => {
    expect(largestTensor('wasm', 2 ** 34)).toBe(2 ** 30);
    expect(largestTensor('cpu', 2 ** 32)).toBe(2 ** 28);
    expect(problemBytes({ op: 'selective-scan', dims: { B: 2, T: 256, D: 64, N: 16, G: 1 } })).toBe(
      4 * 2 * 256 * 64,
    );
  });

  it('is defined for shapes that its operator takes', () => {
    for (const each of SWEEPS)
      for (const dims of [...each.shapes.map((shape) => dimsAt(each, shape, 256)), ...each.steps])
        for (const { shape } of inputShapes({ op: each.op, dims, with: each.with }))
          expect(shape.every((size) => Number.isInteger(size) && size > 0)).toBe(true);
  });

  it('of caches grows with the keys alone, and shows one time', async () => {
    await openBackend('wasm');
    const rows: BenchRow[] = [];
    const decode = SWEEPS.find((each) => each.decode)!;
    await runSweep(
      { ...decode, shapes: [{ B: 1, H: 2, Hkv: 1, K: 8, V: 8, Tq: 1 }] },
      {
        ...{ backends: ['wasm'], threads: [1], callSeconds: 60, totalSeconds: 600, from: 16, to: 32 },
        ...{ opponents: [], wants: () => true, onRow: (row: BenchRow) => rows.push(row) },
        ...{ onStop: () => undefined, onRed: (text: string) => expect(text).toBe('') },
      },
    );
    const timed = rows.filter((row) => row.op !== 'copy');
    expect(timed.map(({ form, direction, dims }) => [form, direction, dims])).toEqual(
      [16, 32].map((T) => ['step', 'step', { B: 1, T, H: 2, Hkv: 1, K: 8, V: 8, Tq: 1 }]),
    );
  }, 60_000);

  it('is left out where no row of it is asked for', () => {
    const asked = (text: string) =>
      SWEEPS.filter((each) =>
        isWanted(each, {
          ...{ backends: ['wasm'], threads: [1], callSeconds: 1, totalSeconds: 1, opponents: [] },
          wants: ({ op, form, dims }) => `${op} ${form} ${JSON.stringify(dims)}`.includes(text),
          ...{ onRow: () => undefined, onStop: () => undefined, onRed: () => undefined },
        }),
      ).map(({ op }) => op);
    expect(asked('ops/delta-rule')).toEqual(['ops/delta-rule']);
    expect(asked('nothing')).toEqual([]);
  });
});

describe('timing', () => {
  it('takes samples in turn, each its own number', async () => {
    const order: string[] = [];
    const of = (name: string, samples: number) => ({
      samples,
      take: async () => {
        order.push(name);
        return order.length;
      },
    });
    expect(await alternate([of('a', 3), of('b', 2)])).toEqual([
      [1, 3, 5],
      [2, 4],
    ]);
    expect(order.join('')).toBe('ababa');
  });

  it('gives the median and quartiles of its samples', () => {
    expect(timingOf([4, 1, 3, 2])).toEqual({ medianMs: 2.5, q1Ms: 1.75, q3Ms: 3.25, repeats: 4 });
  });

  it('waits for work that answers later', async () => {
    let finished = 0;
    const later = async () => {
      await new Promise((resolve) => setTimeout(resolve, 1));
      finished++;
    };
    const timing = await measure(later);
    expect(finished).toBeGreaterThan(timing.repeats);
    expect(timing.q1Ms).toBeGreaterThan(0);
    const own = await sampler({ run: () => new Promise((resolve) => setTimeout(resolve, 200)) }, 300);
    expect(own.samples).toBe(3);
  });

  it('repeats drawn numbers in long inputs instead of drawing on', () => {
    const bench = new Bench({ op: 'selective-scan', dims: { B: 1, T: 2048, D: 64, N: 4, G: 1 } }, 'host');
    const u = bench.inputs['u']!.dataSync() as Float32Array;
    expect(u[0]).toBe(u[1 << 16]);
    expect(new Set(u.subarray(0, 1 << 16)).size).toBeGreaterThan(60_000);
    expect((bench.inputs['delta']!.dataSync() as Float32Array).every((v) => v > 0)).toBe(true);
    bench.dispose();
  });
});
