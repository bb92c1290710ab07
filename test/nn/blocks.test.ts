/** Blocks against independent programs (test/golden/make/mamba_block.py and transformer_block.py). */
import { describe, expect, it } from 'vitest';
import type { Shape } from '../../lib/core/shape.js';
import '../../lib/index.js';
import { mambaMixer, mambaShapes, type MambaParameters } from '../../lib/nn/mamba.js';
import { transformerBlock, transformerShapes, type TransformerParameters } from '../../lib/nn/transformer.js';
import { reshape, slice } from '../../lib/ops/index.js';
import type { Tensor } from '../../lib/tensor/tensor.js';
import { ARITHMETICS, disagreements, goldenJson, type Golden } from './support.js';

/** `a.b` names to nested objects. */
function nested(flat: Record<string, Tensor>): Record<string, unknown> {
  const tree: Record<string, Record<string, Tensor> | Tensor> = {};
  for (const [path, t] of Object.entries(flat)) {
    const [first, second] = path.split('.');
    if (second) ((tree[first] ??= {}) as Record<string, Tensor>)[second] = t;
    else tree[first] = t;
  }
  return tree;
}

describe('the Mamba mixer agrees with the slow path of transformers, forward and backward', () => {
  const golden = goldenJson('mamba-block.json');
  const { B, T, width, N, W, rank } = golden.dims as Record<string, number>;
  const scales = golden.scales as Record<string, number>;
  const shapes = mambaShapes({ width, stateSize: N, convWidth: W, dtRank: rank });
  const d = shapes.inX[0];
  // The names of transformers; in_proj is split by the test, so that its gradient is compared whole.
  const inputs: Record<string, { shape: Shape; scale: number }> = {
    x: { shape: [B, T, width], scale: 4 },
    'in_proj.weight': { shape: [2 * d, width], scale: scales['in_proj.weight'] },
    'conv1d.weight': { shape: [d, W], scale: scales['conv1d.weight'] },
    'conv1d.bias': { shape: [d], scale: scales['conv1d.bias'] },
    'x_proj.weight': { shape: shapes.xProj, scale: scales['x_proj.weight'] },
    'dt_proj.weight': { shape: shapes['dtProj.weight'], scale: scales['dt_proj.weight'] },
    'dt_proj.bias': { shape: [d], scale: scales['dt_proj.bias'] },
    A_log: { shape: [d, N], scale: scales.A_log },
    D: { shape: [d], scale: scales.D },
    'out_proj.weight': { shape: [width, d], scale: scales['out_proj.weight'] },
  };
  const run = (p: Record<string, Tensor>): Tensor => {
    const halves = reshape(p['in_proj.weight'], [2, d, width]);
    const half = (i: number) => reshape(slice(halves, 0, i, i + 1), [d, width]);
    const params: MambaParameters = {
      norm: p.D,
      inX: half(0),
      inZ: half(1),
      conv: { weight: p['conv1d.weight'], bias: p['conv1d.bias'] },
      xProj: p['x_proj.weight'],
      dtProj: { weight: p['dt_proj.weight'], bias: p['dt_proj.bias'] },
      aLog: p.A_log,
      d: p.D,
      outProj: p['out_proj.weight'],
    };
    return mambaMixer(params, p.x).y;
  };
  for (const arithmetic of ARITHMETICS)
    it(`in ${arithmetic.name}`, () => {
      expect(disagreements(arithmetic, inputs, run, (name) => golden[name] as number[])).toEqual([]);
    });
});

describe('the transformer block agrees with torch operations, forward and backward', () => {
  const golden = goldenJson('transformer-block.json');
  const { B, T, ...sizes } = golden.dims as Record<string, number>;
  for (const mlp of ['gelu', 'swiglu'] as const) {
    const config = { ...sizes, width: sizes.width, mlp };
    const inputs: Record<string, { shape: Shape; scale: number }> = {
      x: { shape: [B, T, sizes.width], scale: 4 },
    };
    for (const [name, shape] of Object.entries(transformerShapes(config))) inputs[name] = { shape, scale: 2 };
    const run = ({ x, ...p }: Record<string, Tensor>) =>
      transformerBlock(config, nested(p) as unknown as TransformerParameters, x);
    for (const arithmetic of ARITHMETICS)
      it(`with ${mlp} in ${arithmetic.name}`, () => {
        const values = golden[mlp] as Golden;
        expect(disagreements(arithmetic, inputs, run, (name) => values[name])).toEqual([]);
      });
  }
});
