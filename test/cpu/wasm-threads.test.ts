import { afterEach, describe, expect, test } from 'vitest';
import { ArgumentError, DeviceError } from '../../lib/core/errors.js';
import { parallelFor, readyWorkers, setThreads, stopThreads, threads } from '../../lib/cpu/wasm/threads.js';
import { hostMemory } from '../../lib/tensor/host-memory.js';
import { get, put, room, values } from './wasm-support.js';

const BAD = 0xfff00000;

async function untilReady(): Promise<void> {
  for (let i = 0; i < 500 && readyWorkers() < threads() - 1; i++)
    await new Promise((resolve) => setTimeout(resolve, 10));
  expect(readyWorkers()).toBe(threads() - 1);
}

function start(): void {
  parallelFor('fill', 64, 1, room(64), 0);
}

afterEach(() => setThreads(1));

describe('thread pool', () => {
  test('every unit runs exactly once for any number of threads', async () => {
    for (const count of [1, 2, 4]) {
      setThreads(count);
      start();
      if (count > 1) await untilReady();
      for (const n of [1, 7, 1000, 65537]) {
        const y = put(new Float64Array(n));
        const one = put(values(n));
        for (let round = 0; round < 20; round++) parallelFor('mulAdd', n, 1, one, one, y);
        const x = get(one, n);
        expect(get(y, n).every((v, i) => Math.abs(v - 20 * x[i] ** 2) < 1e-4)).toBe(true);
      }
    }
  });

  test('thousands of short jobs in a row finish', async () => {
    setThreads(2);
    start();
    await untilReady();
    const y = put([0, 0, 0, 0]);
    for (let i = 0; i < 5000; i++) parallelFor('addScalar', 4, 1, y, 1, y);
    expect([...get(y, 4)]).toEqual([5000, 5000, 5000, 5000]);
  });

  test('small and empty work runs inline and starts no worker', () => {
    setThreads(4);
    const y = room(10);
    parallelFor('fill', 10, 100, y, 3);
    parallelFor('fill', 0, 1, y, 4);
    expect(readyWorkers()).toBe(0);
    expect([...get(y, 10)]).toEqual(new Array(10).fill(3));
  });

  test('memory that grows after the workers started is visible to them', async () => {
    setThreads(2);
    start();
    await untilReady();
    const n = 24 << 20;
    const before = hostMemory.memory().buffer.byteLength;
    const block = hostMemory.allocate(4 * n);
    expect(hostMemory.memory().buffer.byteLength).toBeGreaterThan(before);
    parallelFor('fill', n, 1, block.ptr, 2);
    const view = hostMemory.f32(block.ptr, n);
    expect(view[0] + view[n >> 1] + view[n - 1]).toBe(6);
    hostMemory.release(block);
  });

  test('a trapping kernel becomes a DeviceError that names it, and the pool keeps working', async () => {
    setThreads(1);
    expect(() => parallelFor('fill', 4, 1, BAD, 1)).toThrow(DeviceError);
    setThreads(2);
    start();
    await untilReady();
    expect(() => parallelFor('fill', 1 << 20, 1, BAD, 1)).toThrow(/kernel fill must not trap/);
    const y = room(100);
    parallelFor('fill', 100, 1, y, 5);
    expect(get(y, 100).every((v) => v === 5)).toBe(true);
  });

  test('stopping ends the workers and the next job starts them again', async () => {
    setThreads(3);
    start();
    await untilReady();
    const live = hostMemory.stats().liveBlocks;
    stopThreads();
    expect(readyWorkers()).toBe(0);
    expect(hostMemory.stats().liveBlocks).toBeLessThan(live);
    start();
    await untilReady();
  });

  test('setThreads refuses what is not a small positive integer', () => {
    for (const count of [0, -1, 1.5, NaN, 65]) expect(() => setThreads(count)).toThrow(ArgumentError);
  });
});
