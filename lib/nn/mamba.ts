/**
 * The Mamba block.
 *
 *   x, z = in_proj(RMSNorm(r));  u = SiLU(causalConv1d(x));  dt, B, C = x_proj(u);  delta = dt_proj(dt)
 *   r <- r + out_proj(selectiveScan(u, softplus(delta + bias), A = -exp(aLog), B, C, D) SiLU(z))
 *
 * Source: mamba, arXiv 2312.00752v2, section 3.4, figure 3 and algorithm 2; initialisation of sections 3.6 and E.
 * Weights of linear maps are [out, in]. in_proj is kept as its two halves inX and inZ: one product each instead of one
 * product and two copies. Deviation: none in the function computed.
 *
 * Two switches take the block apart. `selective` fixes delta, B or C: then delta = softplus(bias) and B, C are parameters
 * [D,N], the same for all tokens; with all three fixed the recurrence is linear and time-invariant: the real diagonal S4D
 * (Gu et al. 2022, arXiv 2206.11893v2, section 4: A = -n, B = 1, C normal). `convWidth: 0` leaves the convolution out.
 */
import { ArgumentError, show } from '../core/errors.js';
import * as math from '../core/math.js';
import type { Random } from '../core/random.js';
import { selectiveScan, selectiveScanStep } from '../families/selective-scan/index.js';
import { causalConv1d } from '../ops/conv/index.js';
import { add, exp, neg, silu, softplus } from '../ops/map/index.js';
import { matmul } from '../ops/matmul/index.js';
import { rmsNorm } from '../ops/norm/index.js';
import { reshape, split } from '../ops/structure/index.js';
import { ones, tensor, zeros, type Tensor } from '../tensor/tensor.js';
import { linearWeights, normal, uniform } from './parameters.js';

/** Sizes of a Mamba block: width of the residual stream, D = expand width channels, N states, W taps, rank of dt. */
export interface MambaConfig {
  width: number;
  /** Channels per width, default 2. */
  expand?: number;
  /** State size N, default 16. */
  stateSize?: number;
  /** Taps W of the convolution, default 4; 0 leaves it out. */
  convWidth?: number;
  /** Rank of the map to delta, default ceil(width / 16). */
  dtRank?: number;
  /** Range of softplus(bias) of delta at the start, default 0.001 to 0.1 with floor 1e-4. */
  dtMinimum?: number;
  dtMaximum?: number;
  /** Which of delta, B and C depend on the token, each by default; the others are parameters. */
  selective?: { delta?: boolean; b?: boolean; c?: boolean };
}

export interface MambaSizes {
  width: number;
  channels: number;
  stateSize: number;
  convWidth: number;
  dtRank: number;
}

/** Parameters of one block; what a switched-off part would hold is absent. */
export type MambaParameters = {
  norm: Tensor;
  inX: Tensor;
  inZ: Tensor;
  conv?: { weight: Tensor; bias: Tensor };
  /** Rows for dt, B and C, as far as they are selective. */
  xProj?: Tensor;
  /** `weight` where delta is selective. */
  dtProj: { weight?: Tensor; bias: Tensor };
  /** [D,N], where fixed. */
  b?: Tensor;
  c?: Tensor;
  aLog: Tensor;
  d: Tensor;
  outProj: Tensor;
};

/** State of one block: conv [B,D,W-1] (nothing without taps) and ssm [B,D,N]. Its size does not depend on how many tokens it has seen. */
export type MambaState = { conv: Tensor; ssm: Tensor };

/** The sizes with their defaults. @throws ArgumentError for sizes that are not positive integers */
export function mambaSizes(config: MambaConfig): MambaSizes {
  const width = config.width;
  const sizes = {
    width,
    channels: Math.round((config.expand ?? 2) * width),
    stateSize: config.stateSize ?? 16,
    convWidth: config.convWidth ?? 4,
    dtRank: config.dtRank ?? Math.ceil(width / 16),
  };
  for (const [name, value] of Object.entries(sizes))
    if (!Number.isInteger(value) || value < (name === 'convWidth' ? 0 : 1))
      throw new ArgumentError(
        `mambaSizes: ${name} must be a positive integer${name === 'convWidth' ? ' or 0' : ''}, got ${show(value)}`,
      );
  return sizes;
}

/** Which of delta, B and C depend on the token. @throws ArgumentError for other names and values */
function selection({ selective = {} }: MambaConfig): { delta: boolean; b: boolean; c: boolean } {
  const known = { delta: true, b: true, c: true };
  for (const [name, value] of Object.entries(selective))
    if (!(name in known) || typeof value !== 'boolean')
      throw new ArgumentError(
        `mambaSizes: selective must hold booleans named delta, b and c, got ${name}: ${show(value)}`,
      );
  return { ...known, ...selective };
}

/** Rows of xProj. */
function projected(config: MambaConfig): number {
  const { stateSize, dtRank } = mambaSizes(config);
  const { delta, b, c } = selection(config);
  return (delta ? dtRank : 0) + (b ? stateSize : 0) + (c ? stateSize : 0);
}

/** Shapes of one block's parameters by path. */
export function mambaShapes(config: MambaConfig): Record<string, number[]> {
  const { width, channels: d, stateSize: n, convWidth: w, dtRank: r } = mambaSizes(config);
  const { delta, b, c } = selection(config);
  const rows = projected(config);
  return {
    norm: [width],
    inX: [d, width],
    inZ: [d, width],
    ...(w > 0 ? { 'conv.weight': [d, w], 'conv.bias': [d] } : {}),
    ...(rows > 0 ? { xProj: [rows, d] } : {}),
    ...(delta ? { 'dtProj.weight': [d, r] } : {}),
    'dtProj.bias': [d],
    ...(b ? {} : { b: [d, n] }),
    ...(c ? {} : { c: [d, n] }),
    aLog: [d, n],
    d: [d],
    outProj: [width, d],
  };
}

/** Fresh parameters; `layers` scales the output projection by 1/sqrt(layers), as the residual stream adds them up. */
export function createMambaBlock(config: MambaConfig, random: Random, layers = 1): MambaParameters {
  const { width, channels: d, stateSize: n, convWidth: w, dtRank: r } = mambaSizes(config);
  const { delta, b, c } = selection(config);
  const rows = projected(config);
  const stream = (name: string) => random.split(name);
  const convBound = 1 / Math.sqrt(w);
  const conv = () => ({
    weight: uniform(stream('conv.weight'), [d, w], convBound),
    bias: uniform(stream('conv.bias'), [d], convBound),
  });
  return {
    norm: ones([width]),
    inX: linearWeights(stream('inX'), d, width),
    inZ: linearWeights(stream('inZ'), d, width),
    ...(w > 0 ? { conv: conv() } : {}),
    ...(rows > 0 ? { xProj: linearWeights(stream('xProj'), rows, d) } : {}),
    dtProj: {
      ...(delta ? { weight: linearWeights(stream('dtProj.weight'), d, r) } : {}),
      bias: dtBias(config, stream('dtProj.bias'), d),
    },
    ...(b ? {} : { b: ones([d, n]) }),
    ...(c ? {} : { c: normal(stream('c'), [d, n], 1) }),
    aLog: tensor(
      Float32Array.from({ length: d * n }, (_, i) => math.log((i % n) + 1)),
      { shape: [d, n] },
    ),
    d: ones([d]),
    outProj: linearWeights(stream('outProj'), width, d, 1 / Math.sqrt(layers)),
  };
}

/** Inverse softplus of a step drawn log-uniformly from [dtMinimum, dtMaximum]. */
function dtBias(config: MambaConfig, random: Random, channels: number): Tensor {
  const low = math.log(config.dtMinimum ?? 1e-3);
  const high = math.log(config.dtMaximum ?? 0.1);
  const values = Float32Array.from({ length: channels }, () => {
    const dt = Math.max(1e-4, math.exp(low + (high - low) * random.uniform()));
    return dt + math.log(-math.expm1(-dt));
  });
  return tensor(values);
}

/** Zero state for B sequences. */
export function mambaState(config: MambaConfig, batch: number): MambaState {
  const { channels: d, stateSize: n, convWidth: w } = mambaSizes(config);
  return { conv: zeros([batch, d, Math.max(0, w - 1)]), ssm: zeros([batch, d, n]) };
}

/**
 * One block on a residual stream [B,T,width]; `state` carries on an earlier call.
 * @returns y [B,T,width] and the state after the last token
 */
export function mambaBlock(
  p: MambaParameters,
  x: Tensor,
  state?: MambaState,
): { y: Tensor; state: MambaState } {
  const h = rmsNorm(x, p.norm);
  const { y, state: after } = mambaMixer(p, h, state);
  return { y: add(x, y), state: after };
}

/** The block without norm and residual: what the paper's figure 3 shows. */
export function mambaMixer(
  p: MambaParameters,
  h: Tensor,
  state?: MambaState,
): { y: Tensor; state: MambaState } {
  const { u, convolved } = mixerInput(p, h, state);
  const inputs = {
    u,
    ...selected(p, u),
    A: neg(exp(p.aLog)),
    D: p.d,
    z: linear(h, p.inZ),
    deltaBias: p.dtProj.bias,
    initialState: state?.ssm,
  };
  const scanned =
    h.shape[1] === 1 && state
      ? selectiveScanStep(inputs, { softplus: true })
      : selectiveScan(inputs, { softplus: true });
  return { y: linear(scanned.y, p.outProj), state: { conv: convolved.finalState, ssm: scanned.finalState } };
}

/** Step sizes softplus(delta + bias) [B,T,D] that the mixer takes on h [B,T,width]: how much of each token it lets in. */
export function mambaStepSizes(p: MambaParameters, h: Tensor): Tensor {
  return softplus(add(selected(p, mixerInput(p, h).u).delta, p.dtProj.bias));
}

/** u [B,T,D]: what the scan reads, after the convolution. */
function mixerInput(p: MambaParameters, h: Tensor, state?: MambaState) {
  const x = linear(h, p.inX);
  const convolved = p.conv
    ? causalConv1d(x, p.conv.weight, { bias: p.conv.bias, state: state?.conv })
    : { y: x, finalState: state?.conv ?? zeros([h.shape[0], x.shape[2], 0], { device: h.device }) };
  return { u: silu(convolved.y), convolved };
}

const linear = (t: Tensor, weight: Tensor) => matmul(t, weight, { transposeB: true });

/** delta before bias and softplus, B and C: of the token where selective, else as the parameters say. */
function selected(p: MambaParameters, u: Tensor): { delta: Tensor; B: Tensor; C: Tensor } {
  const [batch, time] = u.shape;
  const n = p.aLog.shape[1];
  const { weight } = p.dtProj;
  const sizes = [...(weight ? [weight.shape[1]] : []), ...(p.b ? [] : [n]), ...(p.c ? [] : [n])];
  const parts = p.xProj ? split(linear(u, p.xProj), sizes, 2) : [];
  const perToken = (t: Tensor) => reshape(t, [batch, time, 1, n]);
  const delta = weight
    ? linear(parts.shift()!, weight)
    : zeros(u.shape, { dtype: u.dtype, device: u.device });
  return { delta, B: p.b ?? perToken(parts.shift()!), C: p.c ?? perToken(parts.shift()!) };
}
