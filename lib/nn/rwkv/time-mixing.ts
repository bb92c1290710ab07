/** Time mixing of RWKV-5.2 and RWKV-7: everything of a layer around the recurrence. */
import type { Form } from '../../tensor/backend.js';
import { mixTokens, rwkv7Decay, rwkvDecay, tokenShift, wkv5, wkv7 } from '../../families/rwkv/index.js';
import { add, affine, clamp, mul, rsqrt, sigmoid, silu, sub, tanh } from '../../ops/map/index.js';
import { matmul } from '../../ops/matmul/index.js';
import { layerNorm } from '../../ops/norm/index.js';
import { sum } from '../../ops/reduce/index.js';
import { reshape, slice } from '../../ops/structure/index.js';
import type { Tensor } from '../../tensor/tensor.js';
import type { Affine, LowRank, TimeMixing5, TimeMixing7 } from './config.js';

/** What a call of time mixing gets beside its weights. */
export interface TimeMixingInput {
  /** [B,T,D], normalised */
  x: Tensor;
  /** Last token of the call before, [B,D]. */
  shift: Tensor | undefined;
  /** State of the recurrence, [B,H,K,K]. */
  wkv: Tensor | undefined;
  headSize: number;
  form: Form | undefined;
}

/** y [B,T,D] and what the next call gets. */
export interface TimeMixingOutput {
  y: Tensor;
  shift: Tensor;
  wkv: Tensor;
}

const linear = (x: Tensor, weight: Tensor) => matmul(x, weight, { transposeB: true });

/** [B,T,D] as [B,T,H,K]. */
function perHead(x: Tensor, headSize: number): Tensor {
  return reshape(x, [x.shape[0], x.shape[1], x.shape[2] / headSize, headSize]);
}

const together = (x: Tensor): Tensor => reshape(x, [x.shape[0], x.shape[1], x.shape[2] * x.shape[3]]);

/** Normalises every head by itself and then scales all lanes: GroupNorm with one group a head. */
function headNorm(x: Tensor, p: Affine, eps: number): Tensor {
  return add(mul(together(layerNorm(x, undefined, undefined, { eps })), p.weight), p.bias);
}

/** Epsilon of the norm of heads: rwkv.cpp takes 1e-5 for RWKV-5, on outputs that are not divided by 8. */
const EPS = { 5: 1e-5, 7: 64e-5 } as const;

/**
 * y = W_o (norm(wkv5(r, k, v)) silu(g)) with r, k, v, g linear in mixtures of the token and the one before.
 * Source: arXiv 2404.05892v4, section 4.1.
 */
export function timeMixing5(p: TimeMixing5, input: TimeMixingInput): TimeMixingOutput {
  const { x, headSize, form } = input;
  const { y: before, finalState: shift } = tokenShift(x, { state: input.shift });
  const mixes = [p.mixReceptance, p.mixKey, p.mixValue, p.mixGate];
  const [xr, xk, xv, xg] = mixTokens(x, before, mixes, 5);
  const heads = (t: Tensor, weight: Tensor) => perHead(linear(t, weight), headSize);
  const { y, finalState } = wkv5(
    {
      r: heads(xr, p.receptance),
      k: heads(xk, p.key),
      v: heads(xv, p.value),
      decay: rwkvDecay(p.decay),
      bonus: p.bonus,
      initialState: input.wkv,
    },
    { form },
  );
  const gated = mul(headNorm(y, p.norm, EPS[5]), silu(linear(xg, p.gate)));
  return { y: linear(gated, p.output), shift, wkv: finalState };
}

const lowRank = (x: Tensor, p: { up: Tensor; down: Tensor }, activation = (t: Tensor) => t): Tensor =>
  linear(activation(linear(x, p.down)), p.up);

const biased = (x: Tensor, p: LowRank, activation?: (t: Tensor) => Tensor): Tensor =>
  add(lowRank(x, p, activation), p.bias);

/** Rows of unit length; a row shorter than 1e-12 stays as short as that makes it. */
function normalised(x: Tensor): Tensor {
  return mul(x, rsqrt(clamp(sum(mul(x, x), x.rank - 1, true), 1e-24, 3e38)));
}

/**
 * RWKV-7. `first` are the values of the first layer, which the others mix into their own; the first layer gets none and
 * returns them.
 * Source: arXiv 2503.14456v2, section 4 and appendix with the reference code.
 */
export function timeMixing7(
  p: TimeMixing7,
  input: TimeMixingInput,
  first: Tensor | undefined,
): TimeMixingOutput & { first: Tensor } {
  const { x, headSize, form } = input;
  const { y: before, finalState: shift } = tokenShift(x, { state: input.shift });
  const width = x.shape[2];
  const mixes = Array.from({ length: 6 }, (_, i) => reshape(slice(p.mix, 0, i, i + 1), [width]));
  const [xr, xw, xk, xv, xa, xg] = mixTokens(x, before, mixes, 7);
  const rate = sigmoid(biased(xa, p.rate));
  const key = linear(xk, p.key);
  const own = linear(xv, p.value);
  const value = first && p.mixValue ? add(own, mul(sub(first, own), sigmoid(biased(xv, p.mixValue)))) : own;
  const heads = (t: Tensor) => perHead(t, headSize);
  const k = heads(mul(key, affine(mul(affine(rate, 1, -1), p.replacement), 1, 1)));
  const [r, v] = [heads(linear(xr, p.receptance)), heads(value)];
  const { y, finalState } = wkv7(
    {
      r,
      k,
      v,
      removal: normalised(heads(mul(key, p.removal))),
      rate: heads(rate),
      decay: heads(rwkv7Decay(biased(xw, p.decay, tanh))),
      initialState: input.wkv,
    },
    { form },
  );
  const weights = reshape(p.bonus, [width / headSize, headSize]);
  const bonus = mul(sum(mul(mul(r, k), weights), 3, true), v);
  const out = add(headNorm(y, p.norm, EPS[7]), together(bonus));
  const gate = lowRank(xg, p.gate, sigmoid);
  return { y: linear(mul(out, gate), p.output), shift, wkv: finalState, first: value };
}
