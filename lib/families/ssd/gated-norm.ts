/**
 * RMSNorm with a SiLU gate, over groups of channels: what stands behind the recurrence in Mamba-2.
 *
 *   gate first (default)     y = norm(x silu(z)) weight
 *   norm before gate         y = norm(x) weight silu(z)
 *
 * norm divides each of `groups` equal parts of the last axis by its own root mean square (mean square + eps).
 */
import { ShapeError } from '../../core/errors.js';
import * as math from '../../core/math.js';
import { sizeOf } from '../../core/shape.js';
import { mul, silu } from '../../ops/map/index.js';
import { rmsNorm } from '../../ops/norm/index.js';
import { reshape } from '../../ops/structure/index.js';
import { composed } from '../../tensor/composed.js';
import {
  allocate,
  defineOperator,
  type Call,
  type Implementation,
  type OperatorCase,
} from '../../tensor/operator.js';
import type { Tensor } from '../../tensor/tensor.js';

const WHERE = 'gated-rms-norm';

function normed(x: Tensor, groups: number, eps: number): Tensor {
  const D = x.shape[x.rank - 1];
  if (groups === 1) return rmsNorm(x, undefined, { eps });
  const parts = reshape(x, [...x.shape.slice(0, -1), groups, D / groups]);
  return reshape(rmsNorm(parts, undefined, { eps }), x.shape);
}

const gatedForm = composed(({ x, z, weight }, { params }) => {
  const { groups, eps } = params as Record<string, number>;
  const first = z && !params.normBeforeGate ? mul(x!, silu(z)) : x!;
  const scaled = normed(first, groups, eps);
  const weighted = weight ? mul(scaled, weight) : scaled;
  return { y: z && params.normBeforeGate ? mul(weighted, silu(z)) : weighted };
});

/** Gates of a row, what is normed, the reciprocal root mean square of each group, and y before a late gate. */
function rowOf(call: Call, at: number) {
  const { D } = call.dims;
  const { groups, eps, normBeforeGate } = call.params as Record<string, number>;
  const get = (name: string) => call.in[name]?.floats(WHERE);
  const [x, z, weight] = [get('x')!, get('z'), get('weight')];
  const width = D / groups;
  const gate = (c: number) => (z ? z[at + c] * math.sigmoid(z[at + c]) : 1);
  const u = Float64Array.from({ length: D }, (_, c) => x[at + c] * (normBeforeGate ? 1 : gate(c)));
  const r = Float64Array.from({ length: groups }, (_, g) => {
    let sum = 0;
    for (let c = g * width; c < (g + 1) * width; c++) sum += u[c] * u[c];
    return 1 / Math.sqrt(sum / width + eps);
  });
  const w = (c: number) => (weight ? weight[c] : 1);
  const slope = (c: number) => {
    const sig = math.sigmoid(z![at + c]);
    return sig * (1 + z![at + c] * (1 - sig));
  };
  return { x, z, u, r, gate, w, slope, width, late: Boolean(normBeforeGate) };
}

const forward: Implementation['forward'] = (call) => {
  const { D } = call.dims;
  const y = allocate(call, call.in.x!.shape);
  const to = y.floats(WHERE);
  for (let at = 0; at < to.length; at += D) {
    const { u, r, w, gate, width, late } = rowOf(call, at);
    for (let c = 0; c < D; c++) to[at + c] = u[c] * r[Math.floor(c / width)] * w(c) * (late ? gate(c) : 1);
  }
  return { y };
};

/** With n = u r: du = r (g - n mean(g n)), g the gradient of n, means over the group. */
const backward: Implementation['forward'] = (call) => {
  const { D } = call.dims;
  const dy = call.grad.y!.floats(WHERE);
  const like = (name: string) => call.in[name] && new Float64Array(call.in[name].size);
  const sums = { x: like('x')!, z: like('z'), weight: like('weight') };
  for (let at = 0; at < dy.length; at += D) {
    const { x, u, r, w, gate, slope, width, late } = rowOf(call, at);
    const n = u.map((v, c) => v * r[Math.floor(c / width)]);
    const g = n.map((_, c) => dy[at + c] * w(c) * (late ? gate(c) : 1));
    for (let c = 0; c < D; c++) {
      const part = Math.floor(c / width);
      let mean = 0;
      for (let e = part * width; e < (part + 1) * width; e++) mean += (g[e] * n[e]) / width;
      const du = r[part] * (g[c] - n[c] * mean);
      sums.x[at + c] = du * (late ? 1 : gate(c));
      if (sums.weight) sums.weight[c] += dy[at + c] * n[c] * (late ? gate(c) : 1);
      if (sums.z) sums.z[at + c] = (late ? dy[at + c] * n[c] * w(c) : du * x[at + c]) * slope(c);
    }
  }
  const made = (name: 'x' | 'z' | 'weight') => {
    const values = sums[name];
    if (!values) return undefined;
    const t = allocate(call, call.in[name]!.shape);
    (t.floats(WHERE) as Float64Array).set(values);
    return t;
  };
  return { x: made('x'), z: made('z'), weight: made('weight') };
};

const GATED: OperatorCase[] = [
  { name: 'gate-first', dims: { B: 2, T: 3, D: 12 }, shapes: { x: [2, 3, 12], z: [2, 3, 12] } },
  { name: 'groups', dims: { D: 12 }, shapes: { x: [5, 12], z: [5, 12] }, params: { groups: 3 } },
  {
    name: 'norm-first',
    dims: { D: 37 },
    shapes: { x: [5, 37], z: [5, 37] },
    params: { normBeforeGate: true },
  },
  {
    name: 'norm-first-groups',
    dims: { D: 8 },
    shapes: { x: [2, 3, 8], z: [2, 3, 8] },
    params: { normBeforeGate: true, groups: 2, eps: 0.1 },
  },
];

const op = defineOperator({
  id: WHERE,
  summary: 'RMSNorm over groups of channels with a SiLU gate before or behind it',
  equation: 'y = norm(x silu(z)) weight, or norm(x) weight silu(z)',
  inputs: [
    { name: 'x', shape: '... D', half: true, doc: 'rows' },
    { name: 'z', shape: '... D', half: true, optional: true, doc: 'gate, through SiLU; none when absent' },
    { name: 'weight', shape: 'D', half: true, optional: true, doc: 'gain' },
  ],
  outputs: [{ name: 'y', shape: '... D', doc: 'shape of x' }],
  parameters: {
    groups: {
      type: 'integer',
      default: 1,
      minimum: 1,
      doc: 'equal parts of the last axis, each with its own norm',
    },
    eps: { type: 'number', default: 1e-5, minimum: 0, doc: 'added under the root' },
    normBeforeGate: { type: 'boolean', default: false, doc: 'norm first, then gate' },
  },
  check: (call) => {
    const groups = call.params.groups as number;
    if (call.dims.D === 0 || call.dims.D % groups !== 0)
      throw new ShapeError(
        `${WHERE}: groups must divide D >= 1, got ${groups} groups and D = ${call.dims.D}`,
      );
  },
  forms: {
    reference: { cpu: { forward, backward } },
    parallel: { cpu: gatedForm, wasm: gatedForm, webgpu: gatedForm },
  },
  flops: (d) => 10 * sizeOf(Object.values(d)),
  bytes: (d) => 12 * sizeOf(Object.values(d)),
  cases: [
    ...GATED.map((c) => ({ ...c, with: ['z', 'weight'] })),
    { name: 'bare', dims: { D: 6 }, shapes: { x: [3, 6] } },
  ],
  sources: ['mamba2, arXiv 2405.21060v1, section 7; Zhang and Sennrich 2019, arXiv 1910.07467, equation 4'],
});

export interface GatedRmsNormOptions {
  /** Parts of the last axis with a norm each, default 1; Mamba-2 takes one a group of B and C. */
  groups?: number;
  /** Default 1e-5. */
  eps?: number;
  /** Default false: gate, then norm, as Mamba-2. */
  normBeforeGate?: boolean;
}

/** Gated RMSNorm of x [..., D]; z like x, weight [D], both optional. */
export function gatedRmsNorm(
  x: Tensor,
  z?: Tensor,
  weight?: Tensor,
  options: GatedRmsNormOptions = {},
): Tensor {
  return op({ x, z, weight }, { ...options }).y;
}

export { op as gatedRmsNormOperator };
