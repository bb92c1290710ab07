import { describe, expect, it } from 'vitest';
import {
  add,
  checkpoint,
  customOp,
  exp,
  grad,
  gradcheck,
  mean,
  mul,
  noGrad,
  reshape,
  scope,
  softmax,
  sum,
  tensor,
  valueAndGrad,
  vjp,
  withBackend,
  matmul,
  type Tensor,
} from '../../lib/index.js';

const values = (t: Tensor) => Array.from(t.dataSync());

describe('valueAndGrad', () => {
  it('gives the value and one gradient per leaf of a nested tree', () => {
    const params = { w: tensor([2, 3]), deep: [{ b: tensor([1, 1]) }] };
    const { value, grads } = valueAndGrad((p: typeof params) => sum(add(mul(p.w, p.w), p.deep[0].b)))(params);
    expect(value.dataSync()[0]).toBe(15);
    expect(values(grads.w)).toEqual([4, 6]);
    expect(values(grads.deep[0].b)).toEqual([1, 1]);
  });

  it('adds the gradients of a tensor used several times', () => {
    const { x } = grad((p: { x: Tensor }) => sum(add(mul(p.x, p.x), add(p.x, p.x))))({ x: tensor([5]) });
    expect(values(x)).toEqual([12]);
  });

  it('gives zeros for leaves the loss does not depend on', () => {
    const grads = grad((p: { x: Tensor; y: Tensor }) => sum(p.x))({ x: tensor([1, 2]), y: tensor([[3, 4]]) });
    expect(values(grads.y)).toEqual([0, 0]);
    expect(grads.y.shape).toEqual([1, 2]);
  });

  it('hands an auxiliary result through', () => {
    const { aux } = valueAndGrad((x: Tensor): [Tensor, string] => [sum(x), 'seen'])(tensor([1]));
    expect(aux).toBe('seen');
  });

  it('lets gradients pass through broadcasting of equal shapes', () => {
    const x = tensor([
      [1, 2],
      [3, 4],
    ]);
    const g = grad((p: { x: Tensor }) =>
      sum(
        mul(
          softmax(add(p.x, tensor([0.5, -0.5]))),
          tensor([
            [1, 0],
            [0, 2],
          ]),
        ),
      ),
    )({ x }).x;
    expect(values(g).every((v) => v !== 0)).toBe(true);
  });

  it('refuses a loss that is not a scalar', () => {
    expect(() => valueAndGrad((x: Tensor) => mul(x, x))(tensor([1, 2]))).toThrow(
      /fn must return a scalar tensor, got \[2\]/,
    );
  });

  it('refuses second derivatives with a clear message', () => {
    const inner = grad((x: Tensor) => sum(mul(x, x)));
    expect(() => grad((x: Tensor) => sum(inner(x)))(tensor([1]))).toThrow(
      /second derivatives are not supported/,
    );
  });

  it('records nothing inside noGrad', () => {
    const g = grad((x: Tensor) =>
      add(
        sum(x),
        noGrad(() => sum(mul(x, x))),
      ),
    )(tensor([3]));
    expect(values(g)).toEqual([1]);
  });
});

describe('checkpoint', () => {
  const layer = (x: Tensor, w: Tensor) => exp(matmul(softmax(x), w));
  const x = () =>
    tensor([
      [0.1, 0.2],
      [0.3, -0.4],
    ]);
  const w = () =>
    tensor([
      [0.5, -0.2],
      [0.1, 0.3],
    ]);

  it('gives the same gradients as without', () => {
    const inputs = { x: x(), w: w() };
    const plain = grad((p: typeof inputs) => sum(layer(p.x, p.w)))(inputs);
    const saved = grad((p: typeof inputs) => sum(checkpoint(layer)(p.x, p.w)))(inputs);
    expect(values(saved.x)).toEqual(values(plain.x));
    expect(values(saved.w)).toEqual(values(plain.w));
  });

  it('refuses a function that reads a recorded tensor from outside, whose gradient would be lost', () => {
    const run = grad((p: { w: Tensor }) =>
      sum(checkpoint((y: Tensor) => matmul(y, mul(p.w, p.w)))(mul(p.w, p.w))),
    );
    expect(() => run({ w: w() })).toThrow(/every recorded tensor as an argument/);
  });
});

describe('customOp', () => {
  const cube = customOp({
    name: 'cube',
    forward: ([x]) => mul(mul(x, x), x),
    backward: (dy, [x]) => [mul(dy, mul(mul(x, x), 3))],
  });

  it('takes part in the tape with its own backward', () => {
    expect(values(grad((x: Tensor) => sum(cube(x)))(tensor([2])))).toEqual([12]);
  });

  it('is what gradcheck can find wrong', () => {
    const wrong = customOp({
      name: 'wrong',
      forward: ([x]) => mul(x, x),
      backward: (dy, [x]) => [mul(dy, x)],
    });
    const x = tensor(Float64Array.from([1.5, -0.5]));
    expect(gradcheck((t) => sum(cube(t)), [x]).ok).toBe(true);
    expect(gradcheck((t) => sum(wrong(t)), [x]).ok).toBe(false);
  });

  it('must return a gradient for every input that needs one', () => {
    const lost = customOp({ name: 'lost', forward: ([x]) => mul(x, x), backward: () => [undefined] });
    expect(() => grad((x: Tensor) => sum(lost(x)))(tensor([1]))).toThrow(
      /lost: backward must return a gradient/,
    );
  });
});

describe('vjp', () => {
  it('pulls gradients of several outputs back at once', () => {
    const { outputs, pull } = vjp((p: { x: Tensor }) => ({ s: sum(p.x), d: mul(p.x, 2) }), {
      x: tensor([1, 2]),
    });
    expect(values(outputs.d)).toEqual([2, 4]);
    expect(values(pull({ s: tensor(10, { shape: [] }), d: tensor([1, 0]) }).x)).toEqual([12, 10]);
  });
});

describe('a training step in one scope', () => {
  it.each(['cpu', 'wasm'] as const)('holds memory flat over a thousand steps on %s', async (backend) => {
    const { memory } = await import('../../lib/index.js');
    const x = tensor(new Float32Array(64).fill(0.5), { shape: [8, 8] });
    const step = grad((p: { w: Tensor }) => mean(softmax(matmul(reshape(p.w, [8, 8]), x))));
    const w = tensor(new Float32Array(64).fill(0.1));
    const run = () => withBackend(backend, () => scope(() => void step({ w })));
    run();
    const before = memory();
    for (let i = 0; i < 1000; i++) run();
    const after = memory();
    expect(after.host.liveBytes).toBeLessThanOrEqual(before.host.liveBytes);
    expect(after.host.highWaterBytes).toBe(before.host.highWaterBytes);
  });
});
