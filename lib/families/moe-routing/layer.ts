/** A mixture of feed-forward experts: dispatch, grouped products, combine; and the dense sum it must equal. */
import { ArgumentError, ShapeError, show } from '../../core/errors.js';
import {
  broadcastTo,
  cast,
  compare,
  gelu,
  groupedMatmul,
  matmul,
  mul,
  permute,
  relu,
  reshape,
  silu,
  sum,
} from '../../ops/index.js';
import { noGrad } from '../../tensor/tape.js';
import type { Tensor } from '../../tensor/tensor.js';
import { combine, dispatch } from './dispatch.js';
import { denseWeights, scalarLike } from './gates/common.js';
import { planDispatch } from './plan.js';
import type { DispatchPlan, PlanOptions, Routing } from './types.js';

const ACTIVATIONS = { relu, gelu, silu } as const;

export type ExpertActivation = keyof typeof ACTIVATIONS;

/** Weights of E experts f_e(x) = act(x up_e) down_e, or (act(x gate_e) * (x up_e)) down_e with a gate (GLU). */
export interface ExpertWeights {
  /** [E,D,F] */
  up: Tensor;
  /** [E,F,D] */
  down: Tensor;
  /** [E,D,F] */
  gate?: Tensor;
}

export interface MoeOptions extends Omit<PlanOptions, 'experts'> {
  /** On the gate when there is one, else on up. Default silu. */
  activation?: ExpertActivation;
  /** A plan made before from the same experts, instead of the plan options. */
  plan?: DispatchPlan;
}

/**
 * y_t = sum_j weights[t,j] f_e(x_t), e = experts[t,j], over the choices that the plan keeps: a token without any gives
 * 0 (the residual around the layer carries it). Every expert works on its own rows only; nothing is read back from a
 * device. Gradients flow to x, the weights of the experts and, through the routing, to the router.
 * @param x [T,D]
 * @returns y [T,D] and the plan
 */
export function moeFeedForward(
  x: Tensor,
  experts: ExpertWeights,
  routing: Pick<Routing, 'weights' | 'experts'>,
  options: MoeOptions = {},
): { y: Tensor; plan: DispatchPlan } {
  const { activation = 'silu', plan: given, ...planOptions } = options;
  const E = checkExperts('moeFeedForward', x, experts, routing, activation);
  const plan = given ?? planDispatch(routing.experts, { experts: E, ...planOptions });
  const rows = dispatch(x, plan);
  const product = (t: Tensor, w: Tensor) => groupedMatmul(t, w, plan.offsets);
  const made = product(inner(rows, experts, activation, product), experts.down);
  return { y: combine(made, plan, routing.weights), plan };
}

/**
 * The same sum with every expert applied to every token and zero weights where a token does not go: E / k times the
 * work, and what the sparse layer is held to. `plan` leaves out the choices that it drops.
 * @param x [T,D]
 * @returns y [T,D]
 */
export function denseMoe(
  x: Tensor,
  experts: ExpertWeights,
  routing: Pick<Routing, 'weights' | 'experts'>,
  options: { activation?: ExpertActivation; plan?: DispatchPlan } = {},
): Tensor {
  const { activation = 'silu', plan } = options;
  const E = checkExperts('denseMoe', x, experts, routing, activation);
  const [T, D] = x.shape;
  const all = broadcastTo(reshape(x, [1, T, D]), [E, T, D]);
  const product = (t: Tensor, w: Tensor) => matmul(t, w);
  const made = product(inner(all, experts, activation, product), experts.down);
  const weights = plan ? mul(routing.weights, keptBy(plan, routing.weights)) : routing.weights;
  const share = permute(denseWeights({ weights, experts: routing.experts }, E), [1, 0]);
  return sum(mul(made, reshape(share, [E, T, 1])), 0);
}

/** [T,k] of 1 where the plan keeps the choice. */
function keptBy(plan: DispatchPlan, like: Tensor): Tensor {
  return noGrad(() => cast(compare(plan.slots, 'ge', scalarLike(0, plan.slots)), like.dtype));
}

function inner(
  rows: Tensor,
  { up, gate }: ExpertWeights,
  activation: ExpertActivation,
  product: (t: Tensor, w: Tensor) => Tensor,
): Tensor {
  const act = ACTIVATIONS[activation];
  return gate ? mul(act(product(rows, gate)), product(rows, up)) : act(product(rows, up));
}

function checkExperts(
  caller: string,
  x: Tensor,
  experts: ExpertWeights,
  routing: Pick<Routing, 'weights' | 'experts'>,
  activation: ExpertActivation,
): number {
  if (!Object.hasOwn(ACTIVATIONS, activation))
    throw new ArgumentError(
      `${caller}: activation must be one of ${Object.keys(ACTIVATIONS).join(', ')}, got ${show(activation)}`,
    );
  if (x.rank !== 2) throw new ShapeError(`${caller}: x must be [T,D], got ${show([...x.shape])}; reshape it`);
  const [T, D] = x.shape;
  const { up, down, gate } = experts;
  if (up.rank !== 3 || up.shape[1] !== D)
    throw new ShapeError(`${caller}: up must be [E, ${D}, F], got ${show([...up.shape])}`);
  const [E, , F] = up.shape;
  const fits = (t: Tensor, shape: readonly number[]) =>
    t.rank === 3 && shape.every((d, i) => d === t.shape[i]);
  if (!fits(down, [E, F, D]))
    throw new ShapeError(`${caller}: down must be [${E}, ${F}, ${D}], got ${show([...down.shape])}`);
  if (gate && !fits(gate, [E, D, F]))
    throw new ShapeError(`${caller}: gate must be [${E}, ${D}, ${F}], got ${show([...gate.shape])}`);
  if (routing.weights.shape[0] !== T)
    throw new ShapeError(
      `${caller}: routing must hold ${T} tokens like x, got ${show([...routing.weights.shape])}`,
    );
  return E;
}
