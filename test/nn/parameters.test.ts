import { describe, expect, it } from 'vitest';
import { useBackend } from '../../lib/index.js';
import { createLanguageModel } from '../../lib/nn/language-model.js';
import { decayMask, flatten, flattenAs, flatSpec, views, VIEW_ALIGNMENT } from '../../lib/nn/parameters.js';
import { scope } from '../../lib/tensor/scope.js';
import { tensor, zeros, type Tensor } from '../../lib/tensor/tensor.js';
import { treeEntries } from '../../lib/tensor/tree.js';
import { SMALL } from './support.js';

const tree = { a: tensor([1, 2, 3]), list: [tensor([[4, 5]]), { deep: tensor(6) }] };

describe('the flat parameter buffer', () => {
  it('holds a tree and gives it back as views, without copies', () => {
    const { flat, spec } = flatten(tree);
    const seen = views<typeof tree>(flat, spec);
    expect(treeEntries(seen).map(([path, t]) => [path, [...t.shape], Array.from(t.dataSync())])).toEqual([
      ['a', [3], [1, 2, 3]],
      ['list.0', [1, 2], [4, 5]],
      ['list.1.deep', [], [6]],
    ]);
    flat.dataSync()[VIEW_ALIGNMENT] = 9;
    expect(seen.list[0]).toMatchObject({ shape: [1, 2] });
    expect(Array.from((seen.list[0] as Tensor).dataSync())).toEqual([9, 5]);
  });

  it('starts every view at a multiple of 256 bytes and fills the gaps with 0', () => {
    const { flat, spec } = flatten(tree);
    expect(spec.entries.map((e) => e.offset % VIEW_ALIGNMENT)).toEqual([0, 0, 0]);
    expect(VIEW_ALIGNMENT * 4).toBe(256);
    expect(Array.from(flat.dataSync()).reduce((s, v) => s + v, 0)).toBe(21);
  });

  it('keeps its memory alive through the views alone', () => {
    const { flat, spec } = flatten(tree);
    const seen = views<typeof tree>(flat, spec);
    flat.dispose();
    expect(Array.from(seen.a.dataSync())).toEqual([1, 2, 3]);
  });

  it('refuses a tree or a buffer of another layout by name', () => {
    const { spec } = flatten(tree);
    expect(() => flattenAs({ ...tree, a: tensor([1]) }, spec)).toThrow(
      /flattenAs: tree must have the 3 tensors.*got a \[1\]/,
    );
    expect(() => flattenAs({ a: tree.a }, spec)).toThrow(/got 1 tensors/);
    expect(() => views(zeros([5]), spec)).toThrow(/flat must have shape \[192\], got \[5\]/);
  });

  it('leaves weight decay off gains, biases, D, aLog and the embedding', async () => {
    await useBackend('wasm');
    for (const kind of ['mamba', 'transformer'] as const) {
      const { params } = createLanguageModel(SMALL[kind], 1);
      const spec = flatSpec(params);
      const mask = decayMask(spec, zeros([1])).dataSync();
      const off = spec.entries
        .filter((e) => mask[e.offset] === 0)
        .map((e) => e.path.replace(/layers\.\d+\./, ''));
      const expected = {
        mamba: ['embedding', 'norm', 'conv.bias', 'dtProj.bias', 'aLog', 'd'],
        transformer: ['embedding', 'norm1', 'norm2', 'norm'],
      };
      expect([...new Set(off)].sort()).toEqual([...expected[kind]].sort());
    }
  });

  it('survives the scope it was made in when it is returned', () => {
    const kept = scope(() => flatten(tree).flat);
    expect(kept.disposed).toBe(false);
  });
});

it('refuses a tree that holds one tensor twice, whose two copies would drift apart', () => {
  const shared = zeros([2, 2]);
  expect(() => flatten({ embedding: shared, head: shared })).toThrow(
    /flatten: tree must hold each tensor once, got the same one at embedding and head/,
  );
});
