/** Mixtures of neighbouring tokens, and the channel mixing (feed-forward part) of RWKV-4 to RWKV-7. */
import { ArgumentError, show } from '../../core/errors.js';
import { add, mul, relu, sigmoid, square, sub } from '../../ops/map/index.js';
import { matmul } from '../../ops/matmul/index.js';
import type { Tensor } from '../../tensor/tensor.js';
import { tokenShift } from './token-shift.js';

/** Versions of the architecture whose blocks are known here. */
export type RwkvVersion = 4 | 5 | 6 | 7;

function checkVersion(where: string, version: unknown): void {
  if (![4, 5, 6, 7].includes(version as number))
    throw new ArgumentError(`${where}: version must be 4, 5, 6 or 7, got ${show(version)}`);
}

/**
 * Mixtures of every token x [B,T,D] with the one before it, lane by lane, one for each of `weights` [D] (or per token).
 * The convention differs: RWKV-4 and RWKV-5 learn the weight of the token itself, mu x + (1 - mu) before; RWKV-6 and RWKV-7
 * that of the one before, x + mu (before - x).
 * @throws ArgumentError for another version
 */
export function mixTokens(
  x: Tensor,
  before: Tensor,
  weights: readonly Tensor[],
  version: RwkvVersion,
): Tensor[] {
  checkVersion('mixTokens', version);
  const [from, to] = version <= 5 ? [before, x] : [x, before];
  const step = sub(to, from);
  return weights.map((weight) => add(from, mul(step, weight)));
}

/** Weights of channel mixing: linear maps [out, in], mixtures [D]. RWKV-7 has no receptance. */
export interface ChannelMixingWeights {
  /** [F,D] */
  key: Tensor;
  /** [D,F] */
  value: Tensor;
  /** [D] */
  mixKey: Tensor;
  /** [D,D] */
  receptance?: Tensor;
  /** [D] */
  mixReceptance?: Tensor;
}

const linear = (x: Tensor, weight: Tensor) => matmul(x, weight, { transposeB: true });

/**
 * y = sigmoid(W_r x_r) (W_v relu(W_k x_k)^2) with mixtures x_k, x_r of x [B,T,D] and the token before; RWKV-7 without the gate.
 * `state` [B,D] is the token before the first, finalState the last one; packed as in tokenShift.
 * Sources: rwkv, arXiv 2305.13048v2, section 3.1; rwkv-7, arXiv 2503.14456v2, section 4.
 * @throws ArgumentError unless the receptance is there exactly where the version has one
 */
export function channelMixing(
  p: ChannelMixingWeights,
  x: Tensor,
  options: { version: RwkvVersion; state?: Tensor; cuSeqlens?: Tensor },
): { y: Tensor; finalState: Tensor } {
  const { version, ...carried } = options;
  checkVersion('channelMixing', version);
  const gated = version < 7;
  const given = (['receptance', 'mixReceptance'] as const).filter((name) => p[name] !== undefined);
  if (given.length !== (gated ? 2 : 0))
    throw new ArgumentError(
      `channelMixing: receptance and mixReceptance must be ${gated ? 'given' : 'absent'} for version ${version}, got ${given.join(' and ') || 'neither'}`,
    );
  const { y: before, finalState } = tokenShift(x, carried);
  const mixes = gated ? [p.mixKey, p.mixReceptance!] : [p.mixKey];
  const [xk, xr] = mixTokens(x, before, mixes, version);
  const y = linear(square(relu(linear(xk, p.key))), p.value);
  return { y: gated ? mul(sigmoid(linear(xr, p.receptance!)), y) : y, finalState };
}
