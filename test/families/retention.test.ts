/** Retention: laws of every form and both normalisations, rotations, upstream's numbers, RetNet's layer. */
import { describe, expect, it } from 'vitest';
import '../../lib/cpu/index.js';
import { linearAttention } from '../../lib/families/linear-attention/index.js';
import {
  retention,
  retentionLogGammas,
  retentionOperator,
  retentionRotary,
  retentionStep,
} from '../../lib/families/retention/index.js';
import { Random } from '../../lib/core/random.js';
import type { Shape } from '../../lib/core/shape.js';
import { createRetention, retentionMixer, retentionState } from '../../lib/nn/retention.js';
import { simpleGlu } from '../../lib/nn/transnormer.js';
import { concat, slice } from '../../lib/ops/structure/index.js';
import { rmsNorm } from '../../lib/ops/norm/index.js';
import { vjp } from '../../lib/tensor/tape.js';
import { tensor, type Tensor } from '../../lib/tensor/tensor.js';
import { ARITHMETICS, goldenJson } from '../nn/support.js';
import { describeLaws, drawer, expectClose, goldenDisagreements, type GoldenCase } from './mixer-support.js';

const golden = goldenJson('linear-attention.json') as unknown as {
  retention: GoldenCase[];
  retnet: (GoldenCase & { way: string; heads: number })[];
};
const FORMS = ['chunk', 'recurrent', 'parallel'] as const;
const host = (shape: Shape, values: ArrayLike<number>) =>
  tensor(Float64Array.from(values), { shape, dtype: 'f64', device: 'host' });

for (const normalize of ['none', 'retnet'] as const)
  describe(`retention, normalize '${normalize}'`, () => {
    const extra = normalize === 'retnet' ? 1 : 0;
    describeLaws({
      op: retentionOperator,
      params: { normalize, scale: 0.4 },
      forms: FORMS,
      timed: ['v', 'q', 'k'],
      state: [2, 5 + extra, 4 + extra],
      width: 8,
      inputs: (T, draw) => ({
        q: draw.normal([1, T, 2, 5]),
        k: draw.normal([1, T, 2, 5]),
        v: draw.normal([1, T, 2, 4]),
        decay: draw.uniform([2], -0.6, -0.1),
      }),
      states: (rows, draw) => stateLike(draw.uniform([rows, 2, 5 + extra, 4 + extra], 0.1, 1), extra),
    });
  });

/** The row of the count is empty but for its corner, as every state has it. */
function stateLike(state: { shape: Shape; values: Float64Array }, extra: number) {
  const [, , rows, columns] = state.shape;
  const values = state.values.map((v, i) => {
    const [row, column] = [Math.floor(i / columns) % rows, i % columns];
    return extra === 1 && row === rows - 1 && column < columns - 1 ? 0 : v;
  });
  return { shape: state.shape, values };
}

describe('retention', () => {
  it('is linear attention when gamma is 1', () => {
    const draw = drawer(3);
    const [q, k, v] = [5, 5, 4].map((d) => host([2, 70, 3, d], draw.normal([2, 70, 3, d]).values));
    for (const form of FORMS) {
      const one = retention({ q, k, v, decay: host([3], [0, 0, 0]) }, { form });
      const two = linearAttention({ q, k, v }, { normalize: false, form });
      expectClose(one.y.dataSync(), two.y.dataSync(), 1e-12, 'y');
    }
  });

  for (const c of golden.retention)
    for (const arithmetic of ARITHMETICS)
      it(`agrees with flash-linear-attention, whose scale is 1/sqrt(K), in ${arithmetic.name}`, () => {
        for (const form of ['reference', ...FORMS] as const)
          expect(
            goldenDisagreements(c, arithmetic, ({ q, k, v }) =>
              retention({ q, k, v }, { scale: 1 / Math.sqrt(q.shape[3]), form }),
            ),
          ).toEqual([]);
      });

  it("with 'retnet' differs from 'none' by one positive factor a row, which the norm over a head removes at eps = 0", () => {
    const draw = drawer(5);
    const [q, k, v] = [4, 4, 6].map((d) => host([1, 90, 2, d], draw.normal([1, 90, 2, d]).values));
    const [plain, divided] = (['none', 'retnet'] as const).map(
      (normalize) => retention({ q, k, v }, { normalize }).y,
    );
    const ratios = Array.from(plain.dataSync(), (v, i) => v / divided.dataSync()[i]);
    ratios.forEach((r, i) => {
      expect(r).toBeGreaterThanOrEqual(1 - 1e-12);
      expect(Math.abs(r / ratios[i - (i % 6)] - 1)).toBeLessThan(1e-9);
    });
    const normed = [plain, divided].map((y) => rmsNorm(y, undefined, { eps: 0 }).dataSync());
    expectClose(normed[1], normed[0], 1e-12, 'normed');
    // With eps the norm no longer removes the factor: small rows come out smaller still.
    const loose = [plain, divided].map((y) => rmsNorm(y, undefined, { eps: 0.01 }).dataSync());
    expect(Math.max(...Array.from(loose[0], (v, i) => Math.abs(v - loose[1][i])))).toBeGreaterThan(1e-3);
  });

  it("with 'retnet' counts n = 1 + gamma + ... in the corner of the state, whose gradient is 0", () => {
    const q = host([1, 3, 1, 1], [1, 1, 1]);
    const { outputs, pull } = vjp(
      (p: { q: Tensor; decay: Tensor }) => {
        const found = retention({ q: p.q, k: q, v: q, decay: p.decay }, { normalize: 'retnet' });
        return { state: found.finalState };
      },
      { q, decay: host([1], [Math.log(0.5)]) },
    );
    // S = z = n = 1 + 1/2 + 1/4 for ones.
    expectClose(outputs.state.dataSync(), [1.75, 1.75, 0, 1.75], 1e-15, 'state');
    expectClose(pull({ state: host([1, 1, 2, 2], [0, 0, 5, 7]) }).decay.dataSync(), [0], 0, 'decay');
  });

  it("has RetNet's gammas", () => {
    expectClose(retentionLogGammas(3).map(Math.exp), [1 - 1 / 32, 1 - 1 / 64, 1 - 1 / 128], 1e-15, 'gammas');
    expect(() => retentionLogGammas(0)).toThrow(
      'retentionLogGammas: heads must be a positive integer, got 0',
    );
  });

  it("has RetNet's decays where none are given, in every form, and gives back what it made", () => {
    const zero = (...shape: number[]) =>
      host(shape, new Float64Array(shape.reduce((a, b) => a * b)).fill(0.5));
    const x = { q: zero(1, 5, 2, 3), k: zero(1, 5, 2, 3), v: zero(1, 5, 2, 2) };
    const decay = host([2], retentionLogGammas(2));
    for (const form of FORMS)
      expect(retention(x, { form }).y.dataSync()).toEqual(retention({ ...x, decay }, { form }).y.dataSync());
    expect(() => retention({ ...x, q: undefined as never })).toThrow('retention: q must be given');
    expect(() => retention({ ...x, q: zero(2, 3) })).toThrow('retention: q must have shape [B,T,H,K]');
  });

  it('names a state of the other normalisation and a wrong T', () => {
    const zero = (...shape: number[]) => host(shape, new Float64Array(shape.reduce((a, b) => a * b)));
    const x = { q: zero(1, 2, 1, 3), k: zero(1, 2, 1, 3), v: zero(1, 2, 1, 2) };
    expect(() => retention({ ...x, initialState: zero(1, 1, 3, 2) }, { normalize: 'retnet' })).toThrow(
      "retention: initialState must end in [4,3] with normalize 'retnet', got [1, 1, 3, 2]",
    );
    expect(() => retention({ ...x, initialState: zero(1, 1, 4, 3) })).toThrow(
      "retention: initialState must end in [3,2] with normalize 'none'",
    );
    expect(() => retentionStep(x)).toThrow('retention: q must hold one token in form step, got T = 2');
  });
});

describe('the rotation', () => {
  it('makes scores depend on distance only, with xPos too, which fades them', () => {
    const draw = drawer(4);
    const [q, k] = [1, 2].map(() => host([1, 1, 1, 8], draw.normal([1, 1, 1, 8]).values));
    const score = (m: number, n: number, options: object) => {
      const [a, b] = [
        retentionRotary(q, { ...options, offset: m }),
        retentionRotary(k, { ...options, offset: n, inverse: true }),
      ];
      return Array.from(a.dataSync()).reduce((s, v, i) => s + v * b.dataSync()[i], 0);
    };
    for (const options of [{}, { angles: 'rope' }, { angles: 'rope', scaleBase: 512 }])
      expect(score(507, 500, options)).toBeCloseTo(score(7, 0, options), 10);
    const size = (t: Tensor) => Math.sqrt(Array.from(t.dataSync()).reduce((s, v) => s + v * v, 0));
    const far = retentionRotary(q, { scaleBase: 512, offset: 512 });
    expect(size(far)).toBeLessThan(size(q));
  });

  it("ends RetNet's row of frequencies at 1/base exactly, where rope's ends before", () => {
    const one = host([1, 1, 1, 6], [1, 0, 1, 0, 1, 0]);
    const angles = (options: object) => {
      const y = retentionRotary(one, { ...options, offset: 1 }).dataSync();
      return [0, 1, 2].map((j) => Math.atan2(y[2 * j + 1], y[2 * j]));
    };
    expectClose(angles({}), [1, 0.01, 1e-4], 1e-12, 'retnet');
    expectClose(angles({ angles: 'rope' }), [1, 10000 ** (-1 / 3), 10000 ** (-2 / 3)], 1e-12, 'rope');
  });
});

describe("RetNet's layer", () => {
  for (const c of golden.retnet)
    for (const arithmetic of ARITHMETICS)
      it(`agrees with torchscale's ${c.way} way at eps = 0, in ${arithmetic.name}`, () => {
        for (const normalize of ['none', 'retnet'] as const)
          for (const form of FORMS) {
            const config = { width: 8, heads: c.heads, eps: 0, normalize };
            const scales = Object.fromEntries(
              ['q', 'k', 'v', 'gate', 'out'].map((n) => [n, [3, 0] as const]),
            );
            expect(
              goldenDisagreements(
                c,
                arithmetic,
                ({ x, q, k, v, gate, out }) => ({
                  y: retentionMixer({ q, k, v, gate, out }, config, x, { form }).y,
                }),
                scales,
              ),
            ).toEqual([]);
          }
      });

  it('generates token by token what it computes at once', () => {
    for (const normalize of ['none', 'retnet'] as const) {
      const config = { width: 8, heads: 2, normalize, rotary: { scaleBase: 512 } };
      const p = createRetention(config, new Random(1));
      const x = tensor(drawer(6).normal([2, 9, 8]).values, {
        shape: [2, 9, 8],
        dtype: 'f32',
        device: 'host',
      });
      const whole = retentionMixer(p, config, x).y;
      let state = retentionState(config, 2);
      const rows: Tensor[] = [];
      for (let t = 0; t < 9; t++) {
        const token = retentionMixer(p, config, slice(x, 1, t, t + 1), { state });
        rows.push(token.y);
        state = token.state;
      }
      expect(state.position).toBe(9);
      expectClose(concat(rows, 1).dataSync(), whole.dataSync(), 5e-6, 'y');
    }
  });

  it('names an input that does not fit, and a batch that is none', () => {
    const config = { width: 8, heads: 2 };
    const p = createRetention(config, new Random(1));
    const x = tensor(new Float32Array(24), { shape: [3, 8], device: 'host' });
    expect(() => retentionMixer(p, config, x)).toThrow(
      'retentionMixer: x must have shape [B,T,8], got [3, 8]',
    );
    expect(() => retentionState(config, 0)).toThrow(
      'retentionState: batch must be a positive integer, got 0',
    );
  });

  it('names sizes that do not fit', () => {
    expect(() => retentionState({ width: 6, heads: 2 }, 1)).toThrow(
      'retentionMixer: heads must divide width',
    );
    expect(() => retentionState({ width: 0, heads: 2 }, 1)).toThrow(
      'retentionMixer: width must be a positive integer',
    );
  });
});

it('SGLU multiplies two linear maps without an activation', () => {
  const one = (v: number) => host([1, 1], [v]);
  expect(simpleGlu({ left: one(2), right: one(-3), down: one(0.5) }, one(4)).dataSync()[0]).toBe(-48);
});
