import { describe, expect, it } from 'vitest';
import { Random } from '../../lib/core/random.js';
import { HostMemory, type HostBlock } from '../../lib/tensor/host-memory.js';
import { memory, tensor, zeros } from '../../lib/index.js';

/** Sentences about blocks that share bytes or leave the memory. */
function faults(blocks: readonly HostBlock[], limit: number): string[] {
  const sorted = [...blocks].sort((a, b) => a.ptr - b.ptr);
  return sorted.flatMap(({ ptr, capacity }, i) => {
    const next = sorted[i + 1]?.ptr ?? limit;
    return ptr + capacity > next ? [`${ptr}+${capacity} reaches into ${next}`] : [];
  });
}

describe('host memory under a small limit', () => {
  it.each([1, 2, 3])('never hands out bytes twice and gives all of it back, seed %i', (seed) => {
    const limit = 1 << 20;
    const pool = new HostMemory(limit);
    const random = new Random(seed);
    const live: HostBlock[] = [];
    let full = 0;
    for (let i = 0; i < 4000; i++) {
      if (random.uniform() < 0.55)
        try {
          live.push(pool.allocate(Math.floor(2 ** (4 + 14 * random.uniform()))));
        } catch {
          full++;
          for (const block of live.splice(0, Math.ceil(live.length / 2))) pool.release(block);
        }
      else if (live.length > 0) pool.release(live.splice(Math.floor(random.uniform() * live.length), 1)[0]);
      if (i % 50 === 0) expect(faults(live, limit)).toEqual([]);
    }
    expect(full).toBeGreaterThan(5);
    for (const block of live) pool.release(block);
    expect(pool.stats()).toMatchObject({ liveBytes: 0, liveBlocks: 0 });
    // Neighbours are merged again: half of everything fits into one block.
    expect(pool.allocate(limit / 2).capacity).toBe(limit / 2);
  });
});

describe('the memory table', () => {
  it('counts bytes by element type', () => {
    const made = [
      zeros([10], { dtype: 'f16' }),
      zeros([10], { dtype: 'f64' }),
      tensor([1, 2, 3], { dtype: 'f32' }),
    ];
    made.forEach((t, i) => (t.origin = `table-${i}`));
    const bytes = memory()
      .rows.filter((r) => r.origin.startsWith('table-'))
      .map((r) => r.bytes);
    expect(bytes).toEqual([80, 20, 12]);
  });
});
