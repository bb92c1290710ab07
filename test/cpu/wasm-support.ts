/** What the WASM kernel tests share: inputs, addresses, the error measure, and comparison of thread counts. */
import { expect } from 'vitest';
import { readyWorkers, setThreads } from '../../lib/cpu/wasm/threads.js';
import { hostMemory } from '../../lib/tensor/host-memory.js';

export const FORWARD = 5e-6;
export const BACKWARD = 2e-5;

let state = 12345;

/** Reproducible values in [low, high), rounded to f32. */
export function values(n: number, low = -1, high = 1): Float64Array {
  return Float64Array.from({ length: n }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.fround(low + ((high - low) * state) / 2 ** 32);
  });
}

/** Copies values into host memory as f32; the address. */
export function put(from: ArrayLike<number>): number {
  const { ptr } = hostMemory.allocate(4 * from.length);
  hostMemory.f32(ptr, from.length).set(from);
  return ptr;
}

export function putIntegers(from: ArrayLike<number>): number {
  const { ptr } = hostMemory.allocate(4 * from.length);
  hostMemory.i32(ptr, from.length).set(from);
  return ptr;
}

const GUARD = 16;
const SENTINEL = 12345.5;
const outputs = new Map<number, number>();

/** Room for n results between guards, filled with a sentinel that no kernel writes. */
export function room(n: number): number {
  const { ptr } = hostMemory.allocate(4 * (n + 2 * GUARD));
  hostMemory.f32(ptr, n + 2 * GUARD).fill(SENTINEL);
  outputs.set(ptr + 4 * GUARD, n);
  return ptr + 4 * GUARD;
}

/** A copy of n values; of memory made by `room` it checks that the guards are untouched. */
export function get(ptr: number, n: number): Float32Array {
  if (outputs.get(ptr) === n) {
    expect(hostMemory.f32(ptr - 4 * GUARD, GUARD).every((v) => v === SENTINEL)).toBe(true);
    expect(hostMemory.f32(ptr + 4 * n, GUARD).every((v) => v === SENTINEL)).toBe(true);
  }
  return hostMemory.f32(ptr, n).slice();
}

/** Expects a relative root-mean-square error of at most `limit`; NaN fails unless both are NaN. */
export function expectClose(
  actual: ArrayLike<number>,
  wanted: ArrayLike<number>,
  limit: number,
  name: string,
): void {
  expect(actual.length, name).toBe(wanted.length);
  let error = 0;
  let power = 0;
  for (let i = 0; i < wanted.length; i++) {
    if (Number.isNaN(wanted[i]) && Number.isNaN(actual[i])) continue;
    if (actual[i] === wanted[i]) {
      power += Number.isFinite(wanted[i]) ? wanted[i] ** 2 : 0;
      continue;
    }
    error += (actual[i] - wanted[i]) ** 2;
    power += wanted[i] ** 2;
  }
  const relative = Math.sqrt(error) / Math.max(Math.sqrt(power), 1e-30);
  expect(error === 0 ? 0 : relative, name).toBeLessThanOrEqual(limit);
}

/** Runs `work` with one thread and with two (after the worker is up) and expects the same bits. */
export async function expectSameBits(name: string, work: () => Float32Array[]): Promise<void> {
  setThreads(1);
  const one = work();
  setThreads(2);
  work();
  for (let i = 0; i < 500 && readyWorkers() < 1; i++) await new Promise((resolve) => setTimeout(resolve, 10));
  expect(readyWorkers(), 'a worker must start').toBe(1);
  for (let round = 0; round < 3; round++) {
    const two = work();
    one.forEach((array, i) => {
      const a = new Uint32Array(array.buffer);
      const b = new Uint32Array(two[i].buffer);
      expect(Buffer.compare(Buffer.from(a.buffer), Buffer.from(b.buffer)), `${name}, output ${i}`).toBe(0);
    });
  }
  setThreads(1);
}

export const sigmoid = (x: number) => 1 / (1 + Math.exp(-x));
export const softplus = (x: number) =>
  x > 20 ? x : x < -15 ? Math.exp(x) : Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)));
export const silu = (x: number) => x * sigmoid(x);
