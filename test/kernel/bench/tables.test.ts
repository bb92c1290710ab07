import { describe, expect, it } from 'vitest';
import { line, series, type BenchRow } from '../../../kernel/bench/rows.js';
import {
  markdown,
  ratiosOf,
  slopesOf,
  textTables,
  withSection,
  type BenchDocument,
} from '../../../kernel/bench/tables.js';

function row(T: number, medianMs: number, more: Partial<BenchRow> = {}): BenchRow {
  return {
    ...{ op: 'selective-scan', form: 'recurrent', backend: 'wasm', threads: 1, direction: 'forward' },
    ...{ dims: { B: 1, T, D: 64, N: 16, G: 1 }, dtype: 'f32', flops: 1e6 * T, bytes: 1e5 * T },
    ...{ medianMs, q1Ms: medianMs, q3Ms: medianMs, repeats: 7 },
    ...more,
  };
}

const lengths = [256, 512, 1024, 2048, 4096, 8192];
const linear = lengths.map((T) => row(T, T / 100));

function document(results: BenchRow[]): BenchDocument {
  return {
    ...{ date: '2026-01-01', device: 'a machine', commit: 'abc', command: 'assay bench --sweep' },
    ...{ results, slopes: slopesOf(results), ratios: ratiosOf(results), notes: ['C: none'], red: [] },
  };
}

describe('growth exponents of a sweep', () => {
  it('are taken over the top 8x of the lengths of each series', () => {
    const bent = lengths.map((T) => row(T, T < 1024 ? 1000 : T ** 2, { form: 'chunk' }));
    const [first, second] = slopesOf([...linear, ...bent]);
    expect(first).toMatchObject({
      series: 'wasm recurrent',
      from: 1024,
      to: 8192,
      dims: { B: 1, D: 64, N: 16 },
    });
    expect(first.exponent).toBeCloseTo(1, 10);
    expect(second.exponent).toBeCloseTo(2, 10);
  });

  it('need three lengths and positive times', () => {
    expect(slopesOf(linear.slice(0, 2))).toEqual([]);
    expect(slopesOf(lengths.map((T) => row(T, -1)))).toEqual([]);
    expect(slopesOf([row(1, 1, { direction: 'step' })])).toEqual([]);
  });

  it('keep shapes, directions, threads and programs apart', () => {
    const others = [{ threads: 2 }, { direction: 'backward' }, { opponent: 'C -O3', backend: 'other' }];
    const all = [{}, ...others].flatMap((more) => lengths.map((T) => row(T, T, more)));
    expect(slopesOf(all)).toHaveLength(4);
  });
});

describe('ratios of a sweep', () => {
  it('are above 1 where ours is faster, at equal sizes, directions and threads', () => {
    const other = { opponent: 'C -O3', backend: 'other' };
    const rows = [row(256, 2), row(256, 1, { threads: 2 }), row(256, 3, other), row(512, 9, other)];
    expect(ratiosOf(rows)).toEqual([
      expect.objectContaining({ series: 'wasm recurrent', against: 'C -O3', ratio: 1.5 }),
      expect.objectContaining({ series: 'wasm recurrent x2', against: 'wasm recurrent', ratio: 2 }),
    ]);
  });

  it('do not hold a GPU against a program on the processor', () => {
    const rows = [row(256, 2, { backend: 'webgpu' }), row(256, 3, { opponent: 'C -O3', backend: 'other' })];
    expect(ratiosOf(rows)).toEqual([]);
  });
});

describe('reports of a sweep', () => {
  const other = lengths.slice(0, 4).map((T) => row(T, T / 50, { opponent: 'C -O3', backend: 'other' }));
  const shared = linear.map((r) => ({ ...r, copyShare: 0.125 }));
  const made = document([row(1, 1, { op: 'copy', dims: { N: 4 } }), ...shared, ...other]);

  it('say in text how times grow and who is faster where all were measured', () => {
    const text = textTables(made).join('\n');
    expect(text).toMatch(/wasm recurrent forward +B1 D64 N16 +1\.00 \[1\.00, 1\.00\]/);
    expect(text).toMatch(/B1 T2048 D64 N16 G1 +wasm recurrent forward +C -O3 2x/);
    expect(text).toContain('C: none');
  });

  it('hold every number in Markdown tables of equal width', () => {
    const text = markdown(made);
    expect(text).toContain('| 8192 | 81.9 (13 %) |  |');
    expect(text).toContain('| 256 | 2.56 (13 %) | 5.12 |');
    const widths = text
      .split('\n\n')
      .filter((block) => block.startsWith('|'))
      .map((block) => new Set(block.split('\n').map((l) => l.split('|').length)).size);
    expect(widths.length).toBeGreaterThan(3);
    expect(widths.every((n) => n === 1)).toBe(true);
  });

  it('name software adapters in every line', () => {
    const software = row(256, 1, { backend: 'webgpu', software: true });
    expect(series(software)).toBe('webgpu (software) recurrent');
    expect(line(software)).toContain('webgpu (software)');
  });

  it('go into the marked section of a page and leave the rest alone', () => {
    const page = 'before\n<!-- assay bench -->\nold\n<!-- /assay bench -->\nafter\n';
    const once = withSection(page, 'new');
    expect(once).toBe('before\n<!-- assay bench -->\n\nnew\n\n<!-- /assay bench -->\nafter\n');
    expect(withSection(once, 'new')).toBe(once);
    expect(() => withSection('no section', 'new')).toThrow(/must hold a section/);
  });
});
