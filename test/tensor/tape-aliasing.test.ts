/** Gradients go by tensor: the same tensor in several places, tensors handed through, objects changed afterwards. */
import { describe, expect, it } from 'vitest';
import {
  add,
  checkpoint,
  customOp,
  grad,
  mul,
  scope,
  sum,
  tensor,
  valueAndGrad,
  vjp,
  type Tensor,
} from '../../lib/index.js';
import { operator } from '../../lib/tensor/operator.js';

const values = (t: Tensor) => Array.from(t.dataSync());
const scalar = (v: number) => tensor(v, { shape: [] });

describe('checkpoint', () => {
  it('gives a tensor passed twice its gradient once', () => {
    const product = checkpoint((a: Tensor, b: Tensor) => mul(a, b));
    expect(values(grad((x: Tensor) => sum(product(x, x)))(tensor([3, 5])))).toEqual([6, 10]);
  });

  it('gives a tensor that stands twice in a tree of parameters its gradient once', () => {
    const layer = checkpoint((p: { a: Tensor; b: Tensor }) => add(mul(p.a, p.a), p.b));
    expect(values(grad((x: Tensor) => sum(layer({ a: x, b: x })))(tensor([3])))).toEqual([7]);
  });

  it('may return one of its arguments', () => {
    const same = checkpoint((a: Tensor) => a);
    const x = tensor([3, 5]);
    expect(values(grad((t: Tensor) => sum(mul(same(t), t)))(x))).toEqual([6, 10]);
    expect(x.disposed).toBe(false);
  });

  it('works inside another checkpoint and inside a scope', () => {
    const inner = checkpoint((a: Tensor) => mul(a, a));
    const outer = checkpoint((a: Tensor) => mul(inner(a), a));
    const x = tensor([2]);
    const g = scope(() => grad((t: Tensor) => sum(outer(t)))(x));
    expect(values(g)).toEqual([12]);
  });
});

describe('customOp', () => {
  it('may hand its input through, as a straight-through estimator does', () => {
    const reversed = customOp({
      name: 'reversed',
      forward: ([x]) => x,
      backward: (dy) => [mul(dy, -1)],
    });
    const x = tensor([3, 5]);
    expect(values(grad((t: Tensor) => sum(mul(reversed(t), tensor([1, 2]))))(x))).toEqual([-1, -2]);
    expect(values(grad((t: Tensor) => sum(add(reversed(t), mul(t, 4))))(x))).toEqual([3, 3]);
  });

  it('may return an input, its output or a saved tensor as gradient without losing it', () => {
    const half = customOp({
      name: 'half-square',
      forward: ([x], ctx) => {
        ctx.save('x', x);
        return mul(mul(x, x), 0.5);
      },
      backward: (_, [x], __, ctx) => [x.id % 2 ? x : ctx.saved.x],
    });
    for (const x of [tensor([3, 5]), tensor([3, 5])]) {
      const g = grad((t: Tensor) => add(sum(half(t)), sum(half(t))))(x);
      expect(values(g)).toEqual([6, 10]);
      expect(values(x)).toEqual([3, 5]);
    }
  });

  it('sums the gradients of an input given twice', () => {
    const product = customOp({
      name: 'product',
      forward: ([a, b]) => mul(a, b),
      backward: (dy, [a, b]) => [mul(dy, b), mul(dy, a)],
    });
    expect(values(grad((t: Tensor) => sum(product(t, t)))(tensor([3])))).toEqual([6]);
  });
});

describe('valueAndGrad', () => {
  it('leaves a parameter alive when the loss is that parameter', () => {
    const x = scalar(4);
    expect(values(grad((t: Tensor) => t)(x))).toEqual([1]);
    expect(values(x)).toEqual([4]);
    valueAndGrad((t: Tensor) => t)(x).value.dispose();
    expect(values(x)).toEqual([4]);
  });

  it('gives a tensor that stands twice in the tree its whole gradient in both places', () => {
    const x = tensor([3]);
    const g = grad((p: { a: Tensor; b: Tensor }) => sum(mul(p.a, p.b)))({ a: x, b: x });
    expect([values(g.a), values(g.b)]).toEqual([[6], [6]]);
  });

  it('keeps the inputs of a call as they were, whatever the caller does to the object', () => {
    const call = operator('ops/mul');
    const [a, b, other] = [tensor([2]), tensor([3]), tensor([100])];
    const g = grad((p: { a: Tensor; b: Tensor }) => {
      const inputs: Record<string, Tensor> = { a: p.a, b: p.b };
      const { y } = call(inputs);
      inputs.b = other;
      return sum(y);
    })({ a, b });
    expect([values(g.a), values(g.b)]).toEqual([[3], [2]]);
  });
});

describe('vjp', () => {
  const pulled = (grads: Record<string, Tensor>) =>
    vjp((p: { x: Tensor }) => ({ y: mul(p.x, 2) }), { x: tensor([1, 2]) }).pull(grads);

  it('adds the gradients of one tensor that is two outputs', () => {
    const { pull } = vjp(
      (p: { x: Tensor }) => {
        const y = mul(p.x, 2);
        return { y, again: y };
      },
      { x: tensor([1, 2]) },
    );
    expect(values(pull({ y: tensor([1, 10]), again: tensor([100, 1000]) }).x)).toEqual([202, 2020]);
  });

  it('refuses gradients of another shape, another dtype or of no output, and a second pull', () => {
    expect(() => pulled({ y: tensor([1]) })).toThrow(/vjp: gradient of y must have shape \[2\], got \[1\]/);
    expect(() => pulled({ y: tensor(Float64Array.of(1, 1)) })).toThrow(/gradient of y must be f32, got f64/);
    expect(() => pulled({ z: tensor([1, 1]) })).toThrow(/gradients must be of y, got one of "z"/);
    const { pull } = vjp((p: { x: Tensor }) => ({ y: mul(p.x, 2) }), { x: tensor([1, 2]) });
    expect(values(pull({ y: tensor([1, 1]) }).x)).toEqual([2, 2]);
    expect(() => pull({ y: tensor([1, 1]) })).toThrow(/pull must be called once/);
  });
});
