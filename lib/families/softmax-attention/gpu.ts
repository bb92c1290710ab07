/**
 * Softmax attention on the GPU: tiles with an online softmax. The gradient makes probabilities again, dq over query
 * tiles and dk, dv over key tiles, so that nothing is added by two workgroups. One query takes its keys in parts.
 */
import { dispatch, gpuEmpty } from '../../gpu/dispatch.js';
import { neg } from '../../ops/map/index.js';
import { sum } from '../../ops/reduce/index.js';
import { allocate, type Call, type Implementation, type Kernel } from '../../tensor/operator.js';
import { scope } from '../../tensor/scope.js';
import { zeros, type Tensor } from '../../tensor/tensor.js';
import { oneQuery } from './forms.js';
import { definesOf, planOf, WHERE } from './gpu-plan.js';

/** Queries or keys of a workgroup. */
const TILE = 64;
/** Keys of a workgroup of the decode. */
const PART = 256;
const kernel = (name: string) => `families/softmax-attention/${name}`;

function outputsOf(call: Call): { y: Tensor; lse: Tensor } {
  const { B, Tq, H, V } = call.dims;
  return { y: allocate(call, [B, Tq, H, V]), lse: gpuEmpty(WHERE, [B, H, Tq]) };
}

/** Operations of both products over all pairs. */
const workOf = ({ dims: { B, H, Tq, Tk, K, V } }: Call) => 2 * B * H * Tq * Tk * (K + V);

const forward: Kernel = (call) => {
  const { q, k, v } = call.in;
  const { H, V } = call.dims;
  const defs = definesOf(call, V);
  const { tensor: plan, tiles, params } = planOf(call, TILE, 'queries');
  const { y, lse } = outputsOf(call);
  const rows = tiles * H;
  dispatch({
    where: WHERE,
    kernel: kernel('forward'),
    defs,
    tensors: { q, k, v, plan, y, lse },
    params: { ...params, rows },
    rows,
    work: workOf(call),
  });
  plan.dispose();
  return { y, lse };
};

/** Rows of log-sum-exp and delta; with a sink also what each row adds to its gradient (else one unused element). */
function statistics(call: Call, dy: Tensor): { stats: Tensor; dsink: Tensor } {
  const { B, Tq, H, V } = call.dims;
  const { y, lse } = call.out;
  const { sink } = call.in;
  const stats = gpuEmpty(WHERE, [B, H, Tq, 2]);
  const dsink = gpuEmpty(WHERE, sink ? [B, H, Tq] : [1]);
  const flags = { has_dy: call.grad.y, has_dlse: call.grad.lse, has_sink: sink };
  dispatch({
    where: WHERE,
    kernel: kernel('delta'),
    defs: { F: definesOf(call, V).F },
    tensors: { y, dy, lse, dlse: call.grad.lse, sink, stats, dsink },
    params: {
      ...{ count: lse.size, tq: Tq, heads: H, v: V },
      ...Object.fromEntries(Object.entries(flags).map(([name, t]) => [name, Number(t !== undefined)])),
    },
    threads: lse.size,
    work: dy.size * 2,
  });
  return { stats, dsink };
}

function gradients(call: Call): Record<string, Tensor> {
  const { q, k, v, alibiSlopes, sink } = call.in;
  const { B, Tq, H, Hkv, K, V } = call.dims;
  const dy = call.grad.y ?? zeros(call.out.y.shape, { dtype: q!.dtype, device: 'gpu' });
  const { stats, dsink } = statistics(call, dy);
  const [dq, dk, dv] = [q!, k!, v!].map((t) => allocate(call, t.shape));
  const far = gpuEmpty(WHERE, alibiSlopes ? [B, H, Tq] : [1]);
  const run = (name: string, axis: 'queries' | 'keys', width: number, outputs: Record<string, Tensor>) => {
    const { tensor: plan, tiles, params } = planOf(call, TILE, axis);
    const rows = tiles * (axis === 'queries' ? H : Hkv);
    dispatch({
      where: WHERE,
      kernel: kernel(name),
      defs: definesOf(call, width),
      tensors: { q, k, v, dy, stats, plan, ...outputs },
      params: { ...params, rows },
      rows,
      work: 2 * workOf(call),
    });
  };
  run('query-gradient', 'queries', K, { dq, far });
  run('key-gradient', 'keys', Math.max(K, V), { dk, dv });
  const made: Record<string, Tensor> = { q: dq, k: dk, v: dv };
  if (sink) made.sink = sum(sum(dsink, 2), 0);
  if (alibiSlopes) made.alibiSlopes = neg(sum(sum(far, 2), 0));
  return made;
}

const backward: Kernel = (call) => scope(() => gradients(call));

export const attentionGpu: Implementation = { forward, backward };

/** One query a sequence: parts of 256 keys side by side, merged by their log-sum-exp. */
export const attentionStepGpu = oneQuery({
  forward: (call) => {
    const { q, k, v } = call.in;
    const { H, Tk, V } = call.dims;
    const defs = definesOf(call, V);
    const { tensor: plan, tiles, params } = planOf(call, TILE, 'queries');
    const { y, lse } = outputsOf(call);
    // Rows of a cache beyond the keys in use need no workgroups.
    const keys = (call.params.keys as number | undefined) ?? Tk;
    const parts = Math.max(1, Math.ceil(keys / PART));
    const rows = tiles * H * parts;
    const state = gpuEmpty(WHERE, [rows, V + 2]);
    dispatch({
      where: WHERE,
      kernel: kernel('decode'),
      defs,
      tensors: { q, k, v, plan, state },
      params: { ...params, rows, parts },
      rows,
      work: workOf(call),
    });
    const count = tiles * H * V;
    dispatch({
      where: WHERE,
      kernel: kernel('merge'),
      defs: { F: defs.F },
      tensors: { state, plan, y, lse },
      params: { ...params, count, parts },
      threads: count,
      work: count * parts,
    });
    for (const t of [plan, state]) t.dispose();
    return { y, lse };
  },
  backward,
});
