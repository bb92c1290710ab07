/** Routing against transformers: Mixtral's block and loss, Switch's router and losses (test/golden/make/moe_routing.py). */
import { describe, expect, it } from 'vitest';
import { compare } from '../../lib/core/compare.js';
import type { Shape } from '../../lib/core/shape.js';
import { denseMoe, moeFeedForward, type ExpertActivation } from '../../lib/families/moe-routing/layer.js';
import {
  loadBalancingLoss,
  routerZLoss,
  type LoadBalancingConvention,
} from '../../lib/families/moe-routing/losses.js';
import { mixtralGate, switchGate } from '../../lib/families/moe-routing/gates/presets.js';
import { planDispatch } from '../../lib/families/moe-routing/plan.js';
import '../../lib/index.js';
import { matmul, slice } from '../../lib/ops/index.js';
import { withBackend } from '../../lib/tensor/backend.js';
import { vjp } from '../../lib/tensor/tape.js';
import { tensor, type Tensor } from '../../lib/tensor/tensor.js';
import { ARITHMETICS, formula, goldenJson } from '../nn/support.js';

interface Block {
  name: string;
  tokens: number;
  width: number;
  inner: number;
  experts: number;
  k: number;
  activation: ExpertActivation;
  y: number[];
  logits: number[];
  gradients: Record<string, number[]>;
}
interface Balancing {
  name: string;
  layers: number;
  tokens: number;
  experts: number;
  k: number;
  mask: number[] | null;
  loss: number[];
  gradients: number[][];
}
interface Router {
  name: string;
  groups: number;
  tokens: number;
  width: number;
  experts: number;
  capacity: number;
  logits: number[];
  probability: number[];
  kept: number[];
  gradient: number[];
  losses: Record<'top1' | 'top2' | 'z' | 'layers', { loss: number[]; gradient: number[] }>;
}

const golden = goldenJson('moe-routing.json') as unknown as {
  blocks: Block[];
  balancing: Balancing[];
  routers: Router[];
};

type Arithmetic = (typeof ARITHMETICS)[number];

function draw(arithmetic: Arithmetic, name: string, shape: Shape, scale: number): Tensor {
  return tensor(formula(name, shape, scale), { shape, dtype: arithmetic.dtype, device: 'host' });
}

/** Sentences about what does not agree with the golden values. */
function check(parts: [name: string, t: Tensor, want: number[], tolerance: number][]): string[] {
  return parts
    .map(([name, t, want, tolerance]) =>
      compare(t.dataSync(), want, { name, dims: t.shape, tolerance, floor: 1e-6 }),
    )
    .filter((r) => !r.ok)
    .map((r) => r.text);
}

function blockDisagreements(b: Block, a: Arithmetic, how: 'sparse' | 'dense' | 'capacity'): string[] {
  const shapes: Record<string, Shape> = {
    x: [b.tokens, b.width],
    router: [b.width, b.experts],
    gate: [b.experts, b.width, b.inner],
    up: [b.experts, b.width, b.inner],
    down: [b.experts, b.inner, b.width],
  };
  const leaves = Object.fromEntries(
    Object.entries(shapes).map(([n, shape]) => [n, draw(a, `${b.name}/${n}`, shape, 2)]),
  );
  const run = ({ x, router, gate, up, down }: Record<string, Tensor>) => {
    const logits = matmul(x, router);
    const routing = mixtralGate(logits, { k: b.k });
    const { activation } = b;
    if (how === 'dense') return { y: denseMoe(x, { up, down, gate }, routing, { activation }), logits };
    const capacity = how === 'capacity' ? b.tokens : undefined;
    return { y: moeFeedForward(x, { up, down, gate }, routing, { activation, capacity }).y, logits };
  };
  return withBackend(a.backend, () => {
    const { outputs, pull } = vjp(run, leaves);
    const grads = pull({ y: draw(a, `${b.name}/dy`, outputs.y.shape, 2) });
    return check([
      ['y', outputs.y, b.y, a.tolerance.forward],
      ['logits', outputs.logits, b.logits, a.tolerance.forward],
      ...Object.entries(b.gradients).map(([n, want]): [string, Tensor, number[], number] => [
        n,
        grads[n],
        want,
        a.tolerance.gradient,
      ]),
    ]);
  });
}

describe('the layer gives the output and all gradients of MixtralSparseMoeBlock', () => {
  for (const b of golden.blocks)
    for (const a of ARITHMETICS)
      for (const how of ['sparse', 'dense', 'capacity'] as const)
        it(`${b.name}, ${how}, in ${a.name}`, () => expect(blockDisagreements(b, a, how)).toEqual([]));
});

describe('transformers-mixtral gives the load-balancing loss and gradients of load_balancing_loss_func', () => {
  for (const c of golden.balancing)
    for (const a of ARITHMETICS)
      it(`${c.name} in ${a.name}`, () =>
        withBackend(a.backend, () => {
          const names = Array.from({ length: c.layers }, (_, i) => `logits${i}`);
          const leaves = Object.fromEntries(
            names.map((n) => [n, draw(a, `${c.name}/${n}`, [c.tokens, c.experts], 4)]),
          );
          const mask = c.mask ? tensor(Int32Array.from(c.mask), { device: 'host' }) : undefined;
          const { outputs, pull } = vjp(
            (p: Record<string, Tensor>) => ({
              loss: loadBalancingLoss(
                names.map((n) => mixtralGate(p[n], { k: c.k, mask })),
                { convention: 'transformers-mixtral' },
              ),
            }),
            leaves,
          );
          const grads = pull({ loss: tensor(1, { dtype: a.dtype, device: 'host' }) });
          const found = check([
            ['loss', outputs.loss, c.loss, a.tolerance.forward],
            ...names.map((n, i): [string, Tensor, number[], number] => [
              n,
              grads[n],
              c.gradients[i],
              a.tolerance.gradient,
            ]),
          ]);
          expect(found).toEqual([]);
        }));
});

function routerDisagreements(c: Router, a: Arithmetic): string[] {
  return withBackend(a.backend, () => {
    const rows = c.groups * c.tokens;
    const x = draw(a, `${c.name}/x`, [rows, c.width], 2);
    const logits = matmul(x, draw(a, `${c.name}/router`, [c.width, c.experts], 4));
    const { outputs, pull } = vjp(
      (p: { logits: Tensor }) => ({ probability: switchGate(p.logits).weights }),
      { logits },
    );
    const gradient = pull({ probability: draw(a, `${c.name}/dp`, [rows, 1], 2) }).logits;
    const lossOf = (f: (l: Tensor) => Tensor) => {
      const made = vjp((p: { logits: Tensor }) => ({ loss: f(p.logits) }), { logits });
      const one = tensor(1, { dtype: a.dtype, device: 'host' });
      return { loss: made.outputs.loss, gradient: made.pull({ loss: one }).logits };
    };
    const convention: LoadBalancingConvention = 'transformers-switch';
    const balanced = (l: Tensor, k: number) =>
      loadBalancingLoss(mixtralGate(l, { k }), { convention, groups: c.groups });
    const other = draw(a, `${c.name}/other`, [rows, c.experts], 4);
    const found = {
      top1: lossOf((l) => balanced(l, 1)),
      top2: lossOf((l) => balanced(l, 2)),
      z: lossOf((l) => routerZLoss(l)),
      layers: lossOf((l) =>
        loadBalancingLoss([switchGate(l), switchGate(other)], { convention, groups: c.groups }),
      ),
    };
    return check([
      ['logits', logits, c.logits, a.tolerance.forward],
      ['probability', outputs.probability, c.probability, a.tolerance.forward],
      ['gradient', gradient, c.gradient, a.tolerance.gradient],
      ...(['top1', 'top2', 'z', 'layers'] as const).flatMap((n): [string, Tensor, number[], number][] => [
        [`${n} loss`, found[n].loss, c.losses[n].loss, a.tolerance.forward],
        [`${n} gradient`, found[n].gradient, c.losses[n].gradient, a.tolerance.gradient],
      ]),
    ]);
  });
}

describe("the Switch gate and losses give those of transformers' SwitchTransformersTop1Router", () => {
  for (const c of golden.routers)
    for (const a of ARITHMETICS)
      it(`${c.name} in ${a.name}`, () => expect(routerDisagreements(c, a)).toEqual([]));

  for (const c of golden.routers)
    it(`${c.name}: the plan of each sequence drops the same tokens`, () => {
      const logits = tensor(c.logits, {
        shape: [c.groups * c.tokens, c.experts],
        dtype: 'f32',
        device: 'host',
      });
      const kept = Array.from({ length: c.groups }, (_, g) => {
        const { experts } = switchGate(slice(logits, 0, g * c.tokens, (g + 1) * c.tokens));
        const { slots } = planDispatch(experts, { experts: c.experts, capacity: c.capacity });
        const ids = experts.dataSync();
        return Array.from(slots.dataSync(), (s, i) => (s < 0 ? -1 : ids[i]));
      });
      expect(kept.flat()).toEqual(c.kept);
    });
});
