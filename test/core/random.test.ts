import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ArgumentError } from '../../lib/core/errors.js';
import { philox4x32 } from '../../lib/core/philox.js';
import { Random } from '../../lib/core/random.js';

function draws(count: number, draw: () => number): number[] {
  return Array.from({ length: count }, draw);
}
const average = (values: number[]): number => values.reduce((a, b) => a + b, 0) / values.length;

describe('Random', () => {
  it('takes its words from Philox blocks 0, 1, 2, ... of its key', () => {
    const random = new Random('words');
    const words = draws(10, () => random.u32());
    const blocks = [0, 1, 2].flatMap((i) => Array.from(philox4x32([i, 0, 0, 0], random.key)));
    expect(words).toEqual(blocks.slice(0, 10));
    expect(random.position).toBe(10);
  });

  it('has a fingerprint that is the same on every machine', () => {
    const random = new Random(42);
    expect(Array.from(random.key)).toEqual([3643342865, 1386758554]);
    expect(draws(3, () => random.u32())).toEqual([1006199630, 741432753, 239019426]);
    expect(draws(2, () => random.normal())).toEqual([1.2880785214607269, 0.7963037204869079]);
  });

  it('gives the same stream for the same seed and different streams for different seeds and names', () => {
    const first = (random: Random): string => draws(4, () => random.u32()).join();
    expect(first(new Random(7))).toBe(first(new Random(7)));
    const streams = [new Random(7), new Random('7'), new Random(8), new Random(-7)];
    streams.push(new Random(7).split('a'), new Random(7).split('b'), new Random(8).split('a'));
    streams.push(new Random(7).split(0), new Random(7).split('0'), new Random(7).split('a').split('b'));
    expect(new Set(streams.map(first)).size).toBe(streams.length);
  });

  it('splits without advancing the parent', () => {
    const random = new Random(1);
    const child = random.split('x').u32();
    random.u32();
    expect(random.split('x').u32()).toBe(child);
    expect(random.position).toBe(1);
  });

  it('continues from a stored position, also beyond 2^32 blocks', () => {
    const random = new Random(3);
    for (const start of [0, 5, 2 ** 34 + 3]) {
      random.seek(start);
      const expected = draws(9, () => random.u32());
      const other = new Random(3);
      other.seek(start + 4);
      expect(draws(5, () => other.u32())).toEqual(expected.slice(4));
    }
  });

  it('draws uniforms with the mean and variance of [0, 1)', () => {
    const random = new Random('uniform');
    const values = draws(100000, () => random.uniform());
    expect(Math.abs(average(values) - 0.5)).toBeLessThan(5 * Math.sqrt(1 / 12 / 100000));
    expect(Math.abs(average(values.map((v) => (v - 0.5) ** 2)) - 1 / 12)).toBeLessThan(0.0012);
    expect(values.every((v) => v >= 0 && v < 1 && Math.fround(v) === v)).toBe(true);
  });

  it('draws normals with the right first four moments and tail', () => {
    const out = new Float32Array(200001);
    new Random('normal').fillNormal(out, 0, 1);
    const values = Array.from(out);
    expect(Math.abs(average(values))).toBeLessThan(5 / Math.sqrt(200000));
    expect(Math.abs(average(values.map((v) => v * v)) - 1)).toBeLessThan(5 * Math.sqrt(2 / 200000));
    expect(Math.abs(average(values.map((v) => v ** 3)))).toBeLessThan(5 * Math.sqrt(15 / 200000));
    expect(Math.abs(average(values.map((v) => v ** 4)) - 3)).toBeLessThan(5 * Math.sqrt(96 / 200000));
    const beyond = values.filter((v) => Math.abs(v) > 1.959963985).length / values.length;
    expect(Math.abs(beyond - 0.05)).toBeLessThan(5 * Math.sqrt((0.05 * 0.95) / 200000));
  });

  it('scales and shifts normals and keeps neighbours uncorrelated', () => {
    const out = new Float32Array(50000);
    new Random(5).fillNormal(out, 3, 0.5);
    const values = Array.from(out);
    expect(Math.abs(average(values) - 3)).toBeLessThan(0.012);
    const products = values.slice(1).map((v, i) => (v - 3) * (values[i] - 3));
    expect(Math.abs(average(products))).toBeLessThan((5 * 0.25) / Math.sqrt(50000));
  });

  it('draws integers without bias and inside the range', () => {
    const random = new Random('int');
    const counts = new Array<number>(7).fill(0);
    for (let i = 0; i < 70000; i++) counts[random.int(7)]++;
    const chi2 = counts.reduce((sum, c) => sum + (c - 10000) ** 2 / 10000, 0);
    expect(chi2).toBeLessThan(30);
    // 3 * 2^30 splits 2^32 unevenly: a modulo without rejection would favour the lowest third.
    let low = 0;
    for (let i = 0; i < 30000; i++) if (random.int(3221225472) < 1073741824) low++;
    expect(Math.abs(low - 10000)).toBeLessThan(5 * Math.sqrt((30000 * 2) / 9));
    expect(random.int(1)).toBe(0);
    expect(random.int(4294967296)).toBeLessThan(4294967296);
  });

  it('permutes: every element once, every order about equally often', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 200 }), fc.integer(), (n, seed) => {
        const order = Array.from(new Random(seed).permutation(n)).sort((a, b) => a - b);
        expect(order).toEqual(Array.from({ length: n }, (_, i) => i));
      }),
    );
    const random = new Random('orders');
    const counts = new Map<string, number>();
    for (let i = 0; i < 6000; i++) {
      const key = random.permutation(3).join('');
      counts.set(key, (counts.get(key) ?? 0) + 1);
    }
    expect(counts.size).toBe(6);
    for (const count of counts.values()) expect(Math.abs(count - 1000)).toBeLessThan(150);
    expect(random.shuffle(['a', 'b', 'c']).sort()).toEqual(['a', 'b', 'c']);
  });

  it('draws categories in proportion to their weights and never one of weight 0', () => {
    const random = new Random('categories');
    const counts = [0, 0, 0, 0];
    for (let i = 0; i < 40000; i++) counts[random.categorical([1, 0, 2, 1])]++;
    expect(counts[1]).toBe(0);
    expect(Math.abs(counts[2] - 20000)).toBeLessThan(500);
    expect(Math.abs(counts[0] - counts[3])).toBeLessThan(700);
  });

  it('fills uniforms inside the half-open interval', () => {
    const out = new Float32Array(10000);
    new Random(9).fillUniform(out, -3, -2.9999998);
    expect(out.every((v) => v >= -3 && v < Math.fround(-2.9999998))).toBe(true);
    new Random(9).fillUniform(out, 2, 2);
    expect(out.every((v) => v === 2)).toBe(true);
  });

  it('refuses bad arguments by name', () => {
    const random = new Random(0);
    for (const seed of [NaN, 0.5, Infinity, 2 ** 60]) expect(() => new Random(seed)).toThrow(ArgumentError);
    for (const n of [0, -1, 1.5, NaN, 2 ** 33]) expect(() => random.int(n)).toThrow(/Random\.int: n must/);
    expect(() => random.permutation(-1)).toThrow(ArgumentError);
    expect(() => random.categorical([])).toThrow(/positive finite sum/);
    expect(() => random.categorical([1, NaN])).toThrow(/weights\[1\]/);
    expect(() => random.fillUniform(new Float32Array(1), 1, 0)).toThrow(ArgumentError);
    expect(() => random.fillNormal(new Float32Array(1), 0, NaN)).toThrow(ArgumentError);
    expect(() => random.seek(-1)).toThrow(ArgumentError);
    expect(() => random.split(0.5)).toThrow(ArgumentError);
  });
});
