/** Records check by themselves what the public functions check: `assay eval` calls them with anything. */
import { describe, expect, it } from 'vitest';
import { crossEntropy, operator, scatterAdd, tensor, zeros } from '../../lib/index.js';
import { defineOperator, type OperatorRecord } from '../../lib/tensor/operator.js';
import { conform } from '../../lib/tensor/conformance.js';

const x = (...shape: number[]) => zeros(shape, { device: 'host' });
const ids = (...shape: number[]) => zeros(shape, { dtype: 'i32', device: 'host' });

describe('a record called directly', () => {
  it.each([
    ['ops/reshape', { x: x(2, 3) }, { shape: [2] }, /shape must hold 6 elements like \[2, 3\], got \[2\]/],
    ['ops/reshape', { x: x(2, 3) }, { shape: [-2, -3] }, /array of non-negative integers/],
    ['ops/reshape', { x: x(2, 3) }, {}, /ops\/reshape: shape must be given/],
    ['ops/permute', { x: x(2, 3) }, { axes: [0, 0] }, /axes must be a permutation of 0\.\.1, got \[0, 0\]/],
    ['ops/permute', { x: x(2, 3) }, { axes: [1, 2] }, /axes must be a permutation/],
    ['ops/slice', { x: x(2, 3) }, { axis: 1, start: 2, end: 9 }, /0 <= start <= end <= 3, got 2 and 9/],
    [
      'ops/slice',
      { x: x(2, 3) },
      { axis: 2, start: 0, end: 0 },
      /axis must be an integer in \[-2, 2\), got 2/,
    ],
    ['ops/slice', { x: x(2, 3) }, { axis: 0 }, /ops\/slice: end must be given/],
    ['ops/concat', { a: x(2, 3), b: x(2, 4) }, { axis: 0 }, /every axis but 0/],
    ['ops/concat', { a: x(2, 3), b: ids(2, 3) }, { axis: 0 }, /agree in dtype/],
    ['ops/broadcast-to', { x: x(3) }, { shape: [3, 2] }, /must broadcast, got \[3\] and \[3, 2\]/],
    ['ops/broadcast-to', { x: x(3, 1) }, { shape: [1] }, /shape must be reachable from \[3, 1\], got \[1\]/],
    ['ops/sum-to', { x: x(3) }, { shape: [3, 3] }, /shape must broadcast to \[3\], got \[3, 3\]/],
    ['ops/sum', { x: x(3) }, { axis: 1 }, /axis must be an integer in \[-1, 1\), got 1/],
    ['ops/cumsum', { x: x(3) }, { axis: 4 }, /axis must be an integer in \[-1, 1\), got 4/],
    ['ops/scatter-add', { updates: x(3, 2), ids: ids(3) }, {}, /rows must be given/],
    ['ops/random-bits', {}, { shape: [-1] }, /shape must be an array of non-negative integers/],
    ['ops/causal-conv1d', { x: x(1, 3, 2), weight: x(2, 0) }, {}, /at least one tap, got W = 0/],
    ['ops/add', { a: x(1), b: x(1) }, { toString: 1 }, /parameters must be among \(none\), got "toString"/],
    [
      'softmax-attention',
      { q: x(1, 2, 1, 0), k: x(1, 2, 1, 0), v: x(1, 2, 1, 3) },
      {},
      /K and V must be at least 1, got K = 0 and V = 3/,
    ],
    [
      'softmax-attention',
      { q: x(1, 3, 3, 2), k: x(1, 2, 2, 2), v: x(1, 2, 2, 3) },
      {},
      /H must be a multiple of Hkv, got H = 3 and Hkv = 2/,
    ],
    [
      'softmax-attention',
      { q: x(1, 1, 1, 2), k: x(1, 2, 1, 2), v: x(1, 2, 1, 3) },
      { keys: 3 },
      /keys must lie in \[0, 2\], got 3/,
    ],
    [
      'softmax-attention',
      { q: x(1, 1, 1, 2), k: x(1, 2, 1, 2), v: x(1, 2, 1, 3) },
      { scale: -1 },
      /scale must be >= 0, got -1/,
    ],
    [
      'selective-scan',
      { u: x(2, 3, 1), delta: x(2, 3, 1), A: x(1, 1), B: x(1, 1), C: x(1, 1), cuSeqlens: ids(2) },
      {},
      /u must have B = 1 with cuSeqlens, got B = 2/,
    ],
  ] as const)('%s refuses what does not fit', (id, inputs, params, message) => {
    expect(() => operator(id)(inputs, params as never)).toThrow(message);
  });

  it('takes leading axes for what they are, not for their number of elements', () => {
    expect(() => crossEntropy(x(2, 3, 5), ids(3, 2))).toThrow(
      /ops\/cross-entropy: targets must have leading axes \[2, 3\] like logits, got \[3, 2\]/,
    );
    expect(() => scatterAdd(x(2, 3, 5), ids(6), 4)).toThrow(/ids must have leading axes \[2, 3\]/);
    expect(crossEntropy(x(5), ids()).shape).toEqual([]);
    expect(() => crossEntropy(x(5), ids(1))).toThrow(/targets must have leading axes \[\]/);
  });
});

describe('conform', () => {
  const record = (id: string, forward: OperatorRecord['forms']): OperatorRecord => ({
    id,
    summary: 'for this test',
    equation: 'y = x',
    inputs: [{ name: 'x', shape: 'B', differentiable: false, doc: 'input' }],
    outputs: [{ name: 'y', shape: '*', differentiable: false, doc: 'output' }],
    parameters: {},
    forms: forward,
    flops: () => 0,
    bytes: () => 0,
    cases: [{ name: 'empty', dims: { B: 0 } }],
    sources: ['definition'],
  });
  const copy = {
    forward: (call: { in: Record<string, unknown> }) => ({ y: (call.in.x as ReturnType<typeof x>).view() }),
  };
  const nothing = { forward: () => ({}) };

  it('fails when an output is missing, even where the case is empty', async () => {
    const made = defineOperator(
      record('test/missing', { reference: { cpu: copy }, parallel: { cpu: nothing } }),
    );
    const [c] = made.record.cases;
    expect((await conform(made, c, 'reference', 'cpu')).every((r) => r.ok)).toBe(true);
    await expect(conform(made, c, 'parallel', 'cpu')).rejects.toThrow(/outputs must be y, got/);
  });

  it('fails when a shape differs, even where both are empty', async () => {
    const wide = { forward: () => ({ y: tensor(new Float32Array(0), { shape: [0, 7], device: 'host' }) }) };
    const made = defineOperator(record('test/shape', { reference: { cpu: copy }, parallel: { cpu: wide } }));
    const failed = (await conform(made, made.record.cases[0], 'parallel', 'cpu')).filter((r) => !r.ok);
    expect(failed.map((r) => r.text)).toEqual([expect.stringMatching(/\[0,7\] instead of \[0\]/)]);
  });
});
