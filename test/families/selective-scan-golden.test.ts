/** The selective scan against upstream's own reference and softplus against mpmath (test/golden/make/selective_scan.py). */
import { describe, expect, it } from 'vitest';
import { compare } from '../../lib/core/compare.js';
import * as math from '../../lib/core/math.js';
import type { Shape } from '../../lib/core/shape.js';
import { selectiveScanOperator } from '../../lib/families/selective-scan/index.js';
import '../../lib/index.js';
import { softplus } from '../../lib/ops/index.js';
import { withBackend, type Form } from '../../lib/tensor/backend.js';
import { vjp } from '../../lib/tensor/tape.js';
import { tensor, type Tensor } from '../../lib/tensor/tensor.js';
import { ARITHMETICS, formula, goldenJson } from '../nn/support.js';

interface GoldenCase {
  name: string;
  softplus: boolean;
  delta: [number, number];
  inputs: Record<string, number[]>;
  y: number[];
  finalState: number[];
  gradients: Record<string, number[]>;
}

const golden = goldenJson('selective-scan.json');
const cases = golden.cases as GoldenCase[];
const places = golden.softplus as [number, number, number][];

/** Scale and shift of an input, as in the script; the sum is rounded to f32. */
function draw(c: GoldenCase, name: string, shape: Shape, dtype: 'f32' | 'f64'): Tensor {
  const special: Record<string, [number, number]> = { delta: c.delta, A: [2, -1.25], z: [4, 0] };
  const [scale, shift] = special[name] ?? [2, 0];
  const values = formula(`${c.name}/${name}`, shape, scale).map((v) => Math.fround(v + shift));
  return tensor(values, { shape, dtype, device: 'host' });
}

function disagreements(c: GoldenCase, form: Form, arithmetic: (typeof ARITHMETICS)[number]): string[] {
  const { dtype, backend, tolerance } = arithmetic;
  return withBackend(backend, () => {
    const leaves = Object.fromEntries(
      Object.entries(c.inputs).map(([name, shape]) => [name, draw(c, name, shape, dtype)]),
    );
    const { outputs, pull } = vjp(
      (p: Record<string, Tensor>) => selectiveScanOperator(p, { softplus: c.softplus }, { form }),
      leaves,
    );
    const grads = pull({
      y: draw(c, 'dy', outputs.y.shape, dtype),
      finalState: draw(c, 'dfinalState', outputs.finalState.shape, dtype),
    });
    const report = (name: string, t: Tensor, want: number[], limit: number) =>
      compare(t.dataSync(), want, { name: `${form} ${name}`, dims: t.shape, tolerance: limit });
    return [
      report('y', outputs.y, c.y, tolerance.forward),
      report('finalState', outputs.finalState, c.finalState, tolerance.forward),
      ...Object.entries(c.gradients).map(([name, want]) =>
        report(`gradient of ${name}`, grads[name], want, tolerance.gradient),
      ),
    ]
      .filter((r) => !r.ok)
      .map((r) => r.text);
  });
}

describe('every form gives the outputs and all gradients of selective_scan_ref of mamba-ssm', () => {
  for (const c of cases)
    for (const arithmetic of ARITHMETICS)
      it(`${c.name} in ${arithmetic.name}`, () => {
        for (const form of ['reference', 'recurrent', 'chunk', 'scan'] as const)
          expect(disagreements(c, form, arithmetic)).toEqual([]);
      });
});

describe('softplus keeps its digits where log(1 + e^x) loses them', () => {
  it('in f64 to 2 ulp, with the sigmoid as its slope', () => {
    for (const [x, soft, slope] of places) {
      expect(Math.abs(math.softplus(x) / soft - 1), `softplus ${x}`).toBeLessThan(4.5e-16);
      expect(Math.abs(math.sigmoid(x) / slope - 1), `sigmoid ${x}`).toBeLessThan(4.5e-16);
    }
  });

  it.each(['cpu', 'wasm'] as const)('as an operator in f32 on %s to 3e-7', (backend) => {
    const y = withBackend(backend, () =>
      softplus(
        tensor(
          places.map(([x]) => x),
          { dtype: 'f32', device: 'host' },
        ),
      ).dataSync(),
    );
    places.forEach(([x, soft], i) => expect(Math.abs(y[i] / soft - 1), `${x}`).toBeLessThan(3e-7));
  });

  it.each(['recurrent', 'chunk', 'scan'] as const)('as the step of form %s, forward and slope', (form) => {
    // With u, B and C one and no decay left over, y of the only token is the step itself.
    const lanes = places.length;
    const row = (values: number[], dtype: 'f32' | 'f64') =>
      tensor(values, { shape: [1, 1, lanes], dtype, device: 'host' });
    const fill = (shape: number[], value: number, dtype: 'f32' | 'f64') =>
      tensor(new Float64Array(shape.reduce((a, b) => a * b, 1)).fill(value), {
        shape,
        dtype,
        device: 'host',
      });
    for (const { name, dtype, backend } of ARITHMETICS)
      withBackend(backend, () => {
        const fixed = {
          u: fill([1, 1, lanes], 1, dtype),
          A: fill([lanes, 1], -1, dtype),
          B: fill([lanes, 1], 1, dtype),
          C: fill([lanes, 1], 1, dtype),
        };
        const { outputs, pull } = vjp(
          (p: Record<string, Tensor>) =>
            selectiveScanOperator({ ...fixed, ...p }, { softplus: true }, { form }),
          {
            delta: row(
              places.map(([x]) => x),
              dtype,
            ),
          },
        );
        const slopes = pull({ y: fill([1, 1, lanes], 1, dtype) }).delta.dataSync();
        const limit = dtype === 'f64' ? 1e-15 : 4e-7;
        places.forEach(([x, soft, slope], i) => {
          // Above 20 the step is the argument itself, as upstream's: off by e^-20 at most.
          const cut = x > 20 ? 1.1e-10 : 0;
          const label = `${x} in ${name}`;
          expect(Math.abs(outputs.y.dataSync()[i] / soft - 1), label).toBeLessThan(limit + cut);
          expect(Math.abs(slopes[i] / slope - 1), label).toBeLessThan(limit + 20 * cut);
        });
      });
  });
});
