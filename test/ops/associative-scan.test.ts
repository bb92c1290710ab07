/** Laws of the linear recurrence in every form on the host. */
import { describe, expect, it } from 'vitest';
import { relativeRms } from '../../lib/core/compare.js';
import { Random } from '../../lib/core/random.js';
import { sizeOf } from '../../lib/core/shape.js';
import { setThreads } from '../../lib/cpu/index.js';
import { associativeScan, linearRecurrence } from '../../lib/index.js';
import { exp, mul, slice } from '../../lib/ops/index.js';
import { withBackend } from '../../lib/tensor/backend.js';
import { vjp } from '../../lib/tensor/tape.js';
import { tensor, type Tensor } from '../../lib/tensor/tensor.js';

const random = new Random(17);
const draw = (shape: number[], one: () => number) =>
  tensor(Float64Array.from({ length: sizeOf(shape) }, one), { shape, dtype: 'f32', device: 'host' });
const normal = (shape: number[]) => draw(shape, () => random.normal());
const unit = (shape: number[]) => draw(shape, () => random.uniform());

const PLACES = (['recurrent', 'chunk'] as const).flatMap((form) =>
  (['cpu', 'wasm'] as const).map((backend) => ({ form, backend })),
);

describe.each(PLACES)('form $form on $backend', ({ form, backend }) => {
  it('cut anywhere through the state is the whole, with its gradients', () => {
    withBackend(backend, () => {
      const [a, b, initial] = [unit([2, 600, 7]), normal([2, 600, 7]), normal([2, 7])];
      const [dy, dfinal] = [normal([2, 600, 7]), normal([2, 7])];
      const run = (p: { a: Tensor; b: Tensor; initial: Tensor }) =>
        associativeScan(p.a, p.b, { initial: p.initial, form });
      const whole = vjp(run, { a, b, initial });
      const want = whole.pull({ y: dy, final: dfinal });
      for (const at of [1, 255, 256, 257, 599]) {
        const part = (t: Tensor, from: number, to: number) => slice(t, 1, from, to);
        const first = vjp(run, { a: part(a, 0, at), b: part(b, 0, at), initial });
        const second = vjp(run, {
          a: part(a, at, 600),
          b: part(b, at, 600),
          initial: first.outputs.final,
        });
        const late = second.pull({ y: part(dy, at, 600), final: dfinal });
        const early = first.pull({ y: part(dy, 0, at), final: late.initial });
        const same = (got: Tensor, wanted: Tensor) =>
          expect(relativeRms(got.dataSync(), wanted.dataSync())).toBeLessThan(2e-6);
        same(second.outputs.y, part(whole.outputs.y, at, 600));
        same(second.outputs.final, whole.outputs.final);
        same(early.initial, want.initial);
        same(early.a, part(want.a, 0, at));
        same(late.a, part(want.a, at, 600));
        same(late.b, part(want.b, at, 600));
      }
    });
  });

  it('packed has the bits of separate sequences, with its gradients', () => {
    withBackend(backend, () => {
      const starts = [0, 300, 300, 301, 900];
      const [g, x, initial] = [
        draw([1, 900, 18], () => -random.uniform()),
        normal([1, 900, 18]),
        normal([4, 18]),
      ];
      const [dy, dfinal] = [normal([1, 900, 18]), normal([4, 18])];
      const cuSeqlens = tensor(Int32Array.from(starts), { device: 'host' });
      const run = (p: { g: Tensor; x: Tensor; initial: Tensor }, cu?: Tensor) =>
        linearRecurrence(p.g, p.x, { initial: p.initial, cuSeqlens: cu, form });
      const packed = vjp((p: { g: Tensor; x: Tensor; initial: Tensor }) => run(p, cuSeqlens), {
        g,
        x,
        initial,
      });
      const grads = packed.pull({ y: dy, final: dfinal });
      for (let s = 0; s < 4; s++) {
        const part = (t: Tensor) => slice(t, 1, starts[s], starts[s + 1]);
        const row = (t: Tensor) => slice(t, 0, s, s + 1);
        const alone = vjp((p: { g: Tensor; x: Tensor; initial: Tensor }) => run(p), {
          g: part(g),
          x: part(x),
          initial: row(initial),
        });
        const own = alone.pull({ y: part(dy), final: row(dfinal) });
        expect(part(packed.outputs.y).dataSync()).toEqual(alone.outputs.y.dataSync());
        expect(row(packed.outputs.final).dataSync()).toEqual(alone.outputs.final.dataSync());
        expect(part(grads.g).dataSync()).toEqual(own.g.dataSync());
        expect(part(grads.x).dataSync()).toEqual(own.x.dataSync());
        expect(row(grads.initial).dataSync()).toEqual(own.initial.dataSync());
      }
    });
  });

  it('logarithms are decays, and the gradient of one is the other times the decay', () => {
    withBackend(backend, () => {
      const [g, x, dy] = [
        draw([2, 300, 5], () => -random.uniform()),
        normal([2, 300, 5]),
        normal([2, 300, 5]),
      ];
      const logs = vjp((p: { g: Tensor }) => ({ y: linearRecurrence(p.g, x, { form }).y }), { g });
      const a = exp(g);
      const plain = vjp((p: { a: Tensor }) => ({ y: associativeScan(p.a, x, { form }).y }), { a });
      expect(relativeRms(logs.outputs.y.dataSync(), plain.outputs.y.dataSync())).toBeLessThan(1e-6);
      const want = mul(plain.pull({ y: dy }).a, a);
      expect(relativeRms(logs.pull({ y: dy }).g.dataSync(), want.dataSync())).toBeLessThan(1e-6);
    });
  });

  it('decays that grow leave late inputs alone', () => {
    withBackend(backend, () => {
      const a = draw([1, 700, 3], () => 2);
      const values = new Float64Array(2100);
      values.fill(1, 2097);
      const y = associativeScan(a, tensor(values, { shape: [1, 700, 3], dtype: 'f32', device: 'host' }), {
        form,
      });
      expect(Array.from(y.final.dataSync())).toEqual([1, 1, 1]);
    });
  });
});

describe('the linear recurrence', () => {
  it.each(['recurrent', 'chunk'] as const)('has the same bits on 1, 2 and 3 threads in form %s', (form) => {
    const [a, b, dy] = [unit([3, 700, 45]), normal([3, 700, 45]), normal([3, 700, 45])];
    const bits = [1, 2, 3].map((threads) => {
      setThreads(threads);
      return withBackend('wasm', () => {
        const { outputs, pull } = vjp((p: { a: Tensor; b: Tensor }) => associativeScan(p.a, p.b, { form }), {
          a,
          b,
        });
        const grads = pull({ y: dy });
        return [outputs.y, outputs.final, grads.a, grads.b].map((t) => t.dataSync());
      });
    });
    setThreads(2);
    expect(bits[1]).toEqual(bits[0]);
    expect(bits[2]).toEqual(bits[0]);
  });

  it('of one part has the bits of the recurrent form on wasm', () => {
    const [a, b] = [unit([2, 256, 19]), normal([2, 256, 19])];
    withBackend('wasm', () => {
      const [whole, parts] = (['recurrent', 'chunk'] as const).map(
        (form) => associativeScan(a, b, { form }).y,
      );
      expect(parts.dataSync()).toEqual(whole.dataSync());
    });
  });

  it('says what does not fit', () => {
    const [a, cuSeqlens] = [unit([2, 3, 2]), tensor(Int32Array.from([0, 3]), { device: 'host' })];
    expect(() => associativeScan(a, a, { cuSeqlens })).toThrow('a must have B = 1 with cuSeqlens, got B = 2');
    expect(() => associativeScan(a, a, { initial: unit([3, 2]) })).toThrow(
      'initial must have one row a sequence (2), got 3',
    );
    expect(() => associativeScan(a, a, { form: 'step' })).toThrow(
      'a must hold one token in form step, got T = 3',
    );
  });
});
