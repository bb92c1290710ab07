import { describe, expect, it } from 'vitest';
import { add, matmul, mul, reshape, sum, tensor, valueAndGrad, vjp, type Tensor } from '../../lib/index.js';
import { composed } from '../../lib/tensor/composed.js';
import { memory } from '../../lib/tensor/memory.js';
import { defineOperator } from '../../lib/tensor/operator.js';

let runs = 0;
const body = composed(({ a, b }, call) => {
  runs++;
  const product = mul(a!, b!);
  return { y: call.params.twice ? add(product, product) : product, also: sum(product) };
});
const op = defineOperator({
  id: 'test/composed',
  summary: 'a product',
  equation: 'y = a b',
  inputs: [
    { name: 'a', shape: '*', doc: 'a' },
    { name: 'b', shape: '*', doc: 'b' },
  ],
  outputs: [
    { name: 'y', shape: '*', doc: 'y' },
    { name: 'also', shape: '*', doc: 'sum' },
  ],
  parameters: { twice: { type: 'boolean', default: false, doc: 'doubled' } },
  forms: { reference: { cpu: body } },
  flops: () => 0,
  bytes: () => 0,
  cases: [],
  sources: ['none'],
});

describe('an implementation composed of operators', () => {
  const a = tensor([1, 2, 3]);
  const b = tensor([4, 5, 6]);

  it('computes once for both directions, and pulls through every output', () => {
    runs = 0;
    const { outputs, pull } = vjp((p: Record<string, Tensor>) => op(p, { twice: true }), { a, b });
    expect(Array.from(outputs.y.dataSync())).toEqual([8, 20, 36]);
    const grads = pull({ y: tensor([1, 0, 0]), also: tensor(1) });
    expect(Array.from(grads.a.dataSync())).toEqual([12, 5, 6]);
    expect(Array.from(grads.b.dataSync())).toEqual([3, 2, 3]);
    expect(runs).toBe(1);
  });

  it('gives a tensor that stands in two places its whole gradient', () => {
    const square = valueAndGrad((x: Tensor) => sum(op({ a: x, b: x }).y));
    expect(Array.from(square(a).grads.dataSync())).toEqual([2, 4, 6]);
  });

  it('gives back all it made on the way when the backward pass has run, outside scopes too, and when it throws', () => {
    const step = () => {
      const { outputs, pull } = vjp((p: Record<string, Tensor>) => op(p, { twice: true }), { a, b });
      const seed = tensor([1, 1, 1]);
      for (const t of [...Object.values(pull({ y: seed })), ...Object.values(outputs), seed]) t.dispose();
    };
    const failing = () => vjp((p: Record<string, Tensor>) => op({ ...p, b: tensor([1, 2]) }), { a });
    const live = () => memory().rows.reduce((n, row) => n + row.tensors, 0);
    step();
    const before = live();
    for (let i = 0; i < 3; i++) step();
    expect(live()).toBe(before);
    expect(failing).toThrow('broadcast');
    // The operand made for the failing call itself is left.
    expect(live()).toBe(before + 1);
  });

  it('gives zeros where only the other output counts, and works beside other operators on the tape', () => {
    const fn = valueAndGrad((x: Tensor) =>
      sum(matmul(reshape(op({ a: x, b }).y, [1, 3]), reshape(b, [3, 1]))),
    );
    expect(Array.from(fn(a).grads.dataSync())).toEqual([16, 25, 36]);
  });
});
