/** What the GPU forms of scalar decay share: slots of time with the gates, the phases over chunks. */
import { ShapeError } from '../../core/errors.js';
import { dispatch, floatType, gpuEmpty } from '../../gpu/dispatch.js';
import type { Call } from '../../tensor/operator.js';
import type { Tensor } from '../../tensor/tensor.js';
import { slotsOf, type Slots } from '../sequence/gpu.js';

export const WHERE = 'ops/scalar-decay';
/** Tokens of a chunk: as CHUNK of kernels-wgsl/shared/scalar-decay. */
export const CHUNK = 64;
const TILE = 64;
/** Most keys a head may have in form recurrent: 32 to each of 16 invocations. */
export const WIDEST = 512;

export const tilesOf = (n: number) => Math.ceil(n / TILE);

/** Slots and gates of a call, and the fields that most kernels want. */
export interface Plan {
  slots: Slots;
  /** u32: slots, then gates as bits; see kernels-wgsl/ops/scalar-decay/table. */
  table: Tensor;
  tokens: number;
  scale: number;
  defs: { F: 'f32' | 'f16' };
  fields: { heads: number; groups: number; k: number; v: number; at_gates: number };
  dispose(): void;
}

/** @throws ShapeError when the gates and slots exceed what kernels can index */
export function planOf(call: Call, chunk = CHUNK): Plan {
  const { B, T, G, H, K, V } = call.dims;
  const { q, decay } = call.in;
  const slots = slotsOf(call, chunk);
  const atGates = slots.count * 4;
  const count = atGates + B * T * H;
  if (count >= 2 ** 32)
    throw new ShapeError(`${WHERE}: B T H must be below 2^32 on the GPU, got ${B * T * H}`);
  const table = gpuEmpty(WHERE, [Math.max(1, count)], 'u32');
  dispatch({
    where: WHERE,
    kernel: 'ops/scalar-decay/table',
    tensors: { slots: slots.table, decay, table },
    params: { count, at_gates: atGates, heads: H, kind: decay?.rank === 1 ? 1 : decay ? 2 : 0 },
    threads: count,
    work: count * 2,
  });
  return {
    slots,
    table,
    tokens: B * T,
    scale: call.params.scale as number,
    defs: { F: floatType(WHERE, q!) },
    fields: { heads: H, groups: G, k: K, v: V, at_gates: atGates },
    dispose: () => {
      slots.dispose();
      table.dispose();
    },
  };
}

/** Runs with a stand-in for an output that is not wanted: what stands for absent inputs must not be bound for writing. */
export function withOutput(output: Tensor | undefined, run: (t: Tensor) => void): void {
  const t = output ?? gpuEmpty(WHERE, [1]);
  run(t);
  if (!output) t.dispose();
}

/**
 * States that enter the chunks, [slots, H, K, V], and what leaves the last: forwards from the initial state, or with the
 * gradient of y those of the states behind the chunks, from that of the final state.
 */
export function chunkStates(call: Call, plan: Plan, dy?: Tensor): { chunks: Tensor; last: Tensor } {
  const { H, K, V } = call.dims;
  const { slots, table, defs, fields } = plan;
  const reverse = dy ? 1 : 0;
  const chunks = gpuEmpty(WHERE, [slots.count, H, K, V]);
  const totals = gpuEmpty(WHERE, [slots.count, H]);
  const last = gpuEmpty(WHERE, [slots.sequences, H, K, V]);
  const rows = slots.count * H * tilesOf(K) * tilesOf(V);
  const { q, k, v, initialState } = call.in;
  const [a, b] = dy ? [q, dy] : [k, v];
  const edge = dy ? call.grad.finalState : initialState;
  dispatch({
    where: WHERE,
    kernel: 'ops/scalar-decay/local',
    defs,
    tensors: { a, b, table, chunks, totals },
    params: { ...fields, rows, reverse, scale: dy ? plan.scale : 1 },
    rows,
    work: plan.tokens * H * K * V * 2,
  });
  dispatch({
    where: WHERE,
    kernel: 'ops/scalar-decay/carry',
    tensors: { ranges: slots.ranges, totals, edge, chunks, last },
    params: { count: last.size, heads: H, size: K * V, reverse, seeded: edge ? 1 : 0 },
    threads: last.size,
    work: chunks.size * 2,
  });
  totals.dispose();
  return { chunks, last };
}

/** Operands of kernel mix; a, b [B,T,*,N], c, e [B,T,*,M], z [slots,H,N,M] or turned. */
export interface Mix {
  a: Tensor;
  b: Tensor;
  c: Tensor;
  z: Tensor;
  y: Tensor;
  reverse?: boolean;
  turned?: boolean;
  pairScale: number;
  edgeScale: number;
  /** Also e . (the term of z), into `dots` from `at`. */
  read?: { e: Tensor; dots: Tensor; at: number } | undefined;
}

export function mix(call: Call, plan: Plan, m: Mix): void {
  const { H } = call.dims;
  const { a, b, c, z, y, read } = m;
  const [N, M] = [a.shape[3], c.shape[3]];
  const rows = plan.slots.count * H * tilesOf(M);
  withOutput(read?.dots, (dots) =>
    dispatch({
      where: WHERE,
      kernel: 'ops/scalar-decay/mix',
      defs: { ...plan.defs, R: floatType(WHERE, y) },
      tensors: { a, b, c, e: read?.e, z, table: plan.table, y, dots },
      params: {
        rows,
        tokens: plan.tokens,
        heads: H,
        heads_a: a.shape[2],
        heads_b: b.shape[2],
        heads_c: c.shape[2],
        heads_e: read?.e.shape[2] ?? 1,
        n: N,
        m: M,
        at_gates: plan.fields.at_gates,
        at_dots: read?.at ?? 0,
        reverse: m.reverse ? 1 : 0,
        turned: m.turned ? 1 : 0,
        with_dots: read ? 1 : 0,
        pair_scale: m.pairScale,
        edge_scale: m.edgeScale,
      },
      rows,
      work: plan.tokens * H * 2 * (N * M + CHUNK * (N + M)),
    }),
  );
}
