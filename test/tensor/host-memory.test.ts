import { describe, expect, test } from 'vitest';
import { ArgumentError, DeviceError } from '../../lib/core/errors.js';
import { HostMemory, hostMemory, sizeClass, type HostBlock } from '../../lib/tensor/host-memory.js';

const MIB = 1 << 20;

describe('host memory', () => {
  test('size classes are powers of two up to 1 MiB and waste at most an eighth above', () => {
    for (const bytes of [0, 1, 64, 65, 1000, 4096, 4097, MIB - 1, MIB]) {
      const size = sizeClass(bytes);
      expect(size).toBeGreaterThanOrEqual(Math.max(bytes, 64));
      expect(Math.log2(size) % 1).toBe(0);
      expect(size === 64 || size < 2 * bytes).toBe(true);
    }
    for (const bytes of [MIB + 1, 1.5 * MIB, 3 * MIB + 5, 100 * MIB + 7, 2 ** 31 + 1]) {
      const size = sizeClass(bytes);
      expect(size % 64).toBe(0);
      expect(size).toBeGreaterThanOrEqual(bytes);
      expect(size).toBeLessThanOrEqual(bytes * 1.126);
      expect(sizeClass(size)).toBe(size);
    }
  });

  test('blocks are aligned, do not overlap and keep their contents while the memory grows', () => {
    const memory = new HostMemory();
    const blocks: HostBlock[] = [];
    for (let i = 0; i < 200; i++) {
      const block = memory.allocate(1 + ((i * 7919) % 300000));
      expect(block.ptr % 64).toBe(0);
      memory.f32(block.ptr, Math.floor(block.capacity / 4)).fill(i);
      blocks.push(block);
    }
    blocks.forEach((block, i) => {
      const view = memory.f32(block.ptr, Math.floor(block.capacity / 4));
      expect(view.every((value) => value === i)).toBe(true);
    });
    blocks.sort((a, b) => a.ptr - b.ptr);
    for (let i = 1; i < blocks.length; i++) {
      expect(blocks[i - 1].ptr + blocks[i - 1].capacity).toBeLessThanOrEqual(blocks[i].ptr);
    }
    expect(memory.stats().liveBlocks).toBe(200);
    blocks.forEach((block) => memory.release(block));
    expect(memory.stats().liveBytes).toBe(0);
  });

  test('a released block is reused and a second release throws', () => {
    const memory = new HostMemory();
    const first = memory.allocate(5000);
    memory.release(first);
    expect(() => memory.release(first)).toThrow(ArgumentError);
    const second = memory.allocate(6000);
    expect(second.ptr).toBe(first.ptr);
    expect(() => memory.release(first)).toThrow(/live/);
    memory.release(second);
  });

  test('a full memory throws with bytes asked, live bytes and the maximum', () => {
    const memory = new HostMemory(8 * MIB);
    const held = memory.allocate(5 * MIB);
    expect(() => memory.allocate(4 * MIB)).toThrow(DeviceError);
    expect(() => memory.allocate(4 * MIB)).toThrow(/4194304.*5242880.*8388608/);
    memory.release(held);
    expect(() => memory.allocate(NaN)).toThrow(ArgumentError);
    expect(() => memory.allocate(-1)).toThrow(ArgumentError);
  });

  test('free blocks of other classes are merged before memory counts as full', () => {
    const memory = new HostMemory(8 * MIB);
    const small = Array.from({ length: 7 }, () => memory.allocate(MIB));
    small.forEach((block) => memory.release(block));
    const large = memory.allocate(6.5 * MIB);
    expect(large.capacity).toBeGreaterThanOrEqual(6.5 * MIB);
    memory.release(large);
    const again = Array.from({ length: 7 }, () => memory.allocate(MIB));
    expect(new Set(again.map((block) => block.ptr)).size).toBe(7);
    again.forEach((block) => memory.release(block));
    expect(memory.stats().liveBytes).toBe(0);
  });

  test('a thousand steps of varying requests do not grow the memory after the first', () => {
    const memory = new HostMemory();
    let afterFirst = 0;
    for (let step = 0; step < 1000; step++) {
      const live: HostBlock[] = [];
      for (let i = 0; i < 60; i++) {
        live.push(memory.allocate(256 * (1 + ((i * 131) % 977))));
        if (i % 3 === 2) memory.release(live.splice((i * 17 + step) % live.length, 1)[0]);
      }
      while (live.length > 0) memory.release(live.splice((step * 31) % live.length, 1)[0]);
      if (step === 20) afterFirst = memory.stats().reservedBytes;
    }
    expect(memory.stats().reservedBytes).toBe(afterFirst);
    expect(memory.stats().liveBytes).toBe(0);
  });

  test('the process-wide memory is shared and views address its bytes', () => {
    expect(hostMemory.memory().buffer).toBeInstanceOf(SharedArrayBuffer);
    expect(hostMemory.maximumBytes()).toBeGreaterThanOrEqual(2 ** 30);
    const block = hostMemory.allocate(16);
    hostMemory.f32(block.ptr, 1)[0] = 1;
    expect(hostMemory.u32(block.ptr, 1)[0]).toBe(0x3f800000);
    expect(hostMemory.u16(block.ptr, 2)[1]).toBe(0x3f80);
    expect(hostMemory.u8(block.ptr, 4)[3]).toBe(0x3f);
    expect(hostMemory.i32(block.ptr, 1)[0]).toBe(0x3f800000);
    hostMemory.release(block);
  });
});
