/** What the model tests share: golden inputs by formula, small models, batches. */
import { readFileSync } from 'node:fs';
import { compare, TOLERANCES } from '../../lib/core/compare.js';
import { sizeOf, type Shape } from '../../lib/core/shape.js';
import type { Random } from '../../lib/core/random.js';
import { batchOf, type Batch } from '../../lib/nn/evaluation.js';
import type { LanguageModelConfig } from '../../lib/nn/language-model.js';
import { withBackend } from '../../lib/tensor/backend.js';
import { vjp } from '../../lib/tensor/tape.js';
import { tensor, type Tensor } from '../../lib/tensor/tensor.js';

export type Golden = Record<string, number[]>;

/** A file of test/golden. */
export function goldenFile(name: string): Uint8Array {
  return new Uint8Array(readFileSync(new URL(`../golden/${name}`, import.meta.url)));
}

export function goldenJson(name: string): Record<string, unknown> {
  return JSON.parse(new TextDecoder().decode(goldenFile(name))) as Record<string, unknown>;
}

/** The formula of test/golden/make/blocks_common.py; exact in f32. */
export function formula(name: string, shape: Shape, scale: number): Float64Array {
  let salt = 2166136261;
  for (const byte of new TextEncoder().encode(name)) salt = Math.imul(salt ^ byte, 16777619) >>> 0;
  return Float64Array.from({ length: sizeOf(shape) }, (_, i) => {
    let h = (salt + Math.imul(i, 2654435761)) >>> 0;
    h = Math.imul(h ^ (h >>> 16), 2246822519) >>> 0;
    h = Math.imul(h ^ (h >>> 13), 3266489917) >>> 0;
    h = (h ^ (h >>> 16)) >>> 0;
    return ((h >>> 8) / 2 ** 24 - 0.5) * scale;
  });
}

/** Where a block is computed in the golden tests. */
export const ARITHMETICS = [
  { name: 'f64', dtype: 'f64', backend: 'cpu', tolerance: { forward: 1e-10, gradient: 1e-10 } },
  { name: 'f32 on cpu', dtype: 'f32', backend: 'cpu', tolerance: TOLERANCES.cpu },
  { name: 'f32 on wasm', dtype: 'f32', backend: 'wasm', tolerance: TOLERANCES.wasm },
] as const;

/** Output and gradients of `run` on named inputs that do not agree with the golden values, as sentences. */
export function disagreements(
  arithmetic: (typeof ARITHMETICS)[number],
  inputs: Record<string, { shape: Shape; scale: number }>,
  run: (inputs: Record<string, Tensor>) => Tensor,
  golden: (name: string, shape: Shape) => readonly number[],
): string[] {
  const { dtype, backend, tolerance } = arithmetic;
  const make = ([name, { shape, scale }]: [string, { shape: Shape; scale: number }]) =>
    [name, tensor(formula(name, shape, scale), { shape, dtype, device: 'host' })] as const;
  return withBackend(backend, () => {
    const leaves = Object.fromEntries(Object.entries(inputs).map(make));
    const { outputs, pull } = vjp((p: Record<string, Tensor>) => ({ y: run(p) }), leaves);
    const dy = tensor(formula('dy', outputs.y.shape, 2), { shape: outputs.y.shape, dtype, device: 'host' });
    const grads = pull({ y: dy });
    const report = (name: string, t: Tensor, limit: number) =>
      compare(t.dataSync(), golden(name, t.shape), { name, dims: t.shape, tolerance: limit, floor: 1e-6 });
    return [
      report('y', outputs.y, tolerance.forward),
      ...Object.entries(grads).map(([name, g]) => report(`grad.${name}`, g, tolerance.gradient)),
    ]
      .filter((r) => !r.ok)
      .map((r) => r.text);
  });
}

export const SMALL: Record<'mamba' | 'transformer', LanguageModelConfig> = {
  mamba: { kind: 'mamba', layers: 2, width: 16, stateSize: 4, vocabulary: 32 },
  transformer: { kind: 'transformer', layers: 2, width: 16, heads: 2, vocabulary: 32 },
};

/** A predictable text: counting, with a start drawn per row. */
export function countingBatch(random: Random, [rows, columns]: [number, number], vocabulary = 32): Batch {
  const ids = new Int32Array(rows * columns);
  const targets = new Int32Array(rows * columns);
  for (let b = 0; b < rows; b++) {
    const start = random.int(vocabulary);
    for (let t = 0; t < columns; t++) {
      ids[b * columns + t] = (start + t) % vocabulary;
      targets[b * columns + t] = (start + t + 1) % vocabulary;
    }
  }
  return batchOf(ids, targets, [rows, columns]);
}
