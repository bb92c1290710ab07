/** Softmax attention on the GPU: tiles with an online softmax; the backward pass makes probabilities again. */
import { DeviceError } from '../../core/errors.js';
import { dispatch, floatType, gpuEmpty } from '../../gpu/dispatch.js';
import { allocate, type Call, type Implementation } from '../../tensor/operator.js';

const WHERE = 'softmax-attention';
const TILE = 16;
/** Widest head: 16 columns an invocation. */
const WIDEST = 256;

/** Fields shared by the kernels, and the variant that is wide enough. */
function planOf(call: Call, width: number) {
  const { B, Tq, Tk, H, Hkv, K, V } = call.dims;
  if (width > WIDEST)
    throw new DeviceError(
      `${WHERE}: K and V must be <= ${WIDEST} on the GPU, got K = ${K} and V = ${V}; use the form parallel`,
    );
  const columns = [4, 8, 16].find((c) => c * TILE >= width)!;
  const keys = (call.params.keys as number | undefined) ?? Tk;
  const params = {
    tq: Tq,
    tk: keys,
    rows_k: Tk,
    heads: H,
    kv_heads: Hkv,
    k: K,
    v: V,
    causal: call.params.causal ? 1 : 0,
    scale: (call.params.scale as number | undefined) ?? 1 / Math.sqrt(K),
  };
  const common = {
    where: WHERE,
    defs: { F: floatType(WHERE, call.in.q!), COLUMNS: `${columns}u` },
    work: 2 * B * H * Tq * keys * (K + V),
  };
  return { params, common };
}

export const attentionGpu: Implementation = {
  forward: (call) => {
    const { q, k, v } = call.in;
    const { B, Tq, H, V } = call.dims;
    const { params, common } = planOf(call, V);
    const y = allocate(call, [B, Tq, H, V]);
    const lse = gpuEmpty(WHERE, [B, H, Tq]);
    const tiles = Math.ceil(Tq / TILE);
    const rows = B * H * tiles;
    dispatch({
      ...common,
      kernel: 'families/softmax-attention/forward',
      tensors: { q, k, v, y, lse },
      params: { ...params, rows, tiles },
      rows,
    });
    if (call.training) call.saved.lse = lse;
    else lse.dispose();
    return { y };
  },
  backward: (call) => {
    const { q, k, v } = call.in;
    const { B, Tq, Tk, H, Hkv, K, V } = call.dims;
    const { params, common } = planOf(call, Math.max(K, V));
    const dy = call.grad.y;
    const lse = call.saved.lse;
    const delta = gpuEmpty(WHERE, [B, H, Tq]);
    dispatch({
      where: WHERE,
      kernel: 'families/softmax-attention/delta',
      defs: { F: common.defs.F },
      tensors: { y: call.out.y, dy, delta },
      params: { count: delta.size, tq: Tq, heads: H, v: V },
      threads: delta.size,
      work: dy!.size * 2,
    });
    const [dq, dk, dv] = [q!, k!, v!].map((t) => allocate(call, t.shape));
    const inputs = { q, k, v, dy, lse, delta };
    const queryTiles = Math.ceil(Tq / TILE);
    const queryRows = B * H * queryTiles;
    dispatch({
      ...common,
      kernel: 'families/softmax-attention/query-gradient',
      tensors: { ...inputs, dq },
      params: { ...params, rows: queryRows, tiles: queryTiles },
      rows: queryRows,
    });
    const keyTiles = Math.ceil(Tk / TILE);
    const keyRows = B * Hkv * keyTiles;
    dispatch({
      ...common,
      kernel: 'families/softmax-attention/key-gradient',
      tensors: { ...inputs, dk, dv },
      params: { ...params, rows: keyRows, tiles: keyTiles },
      rows: keyRows,
    });
    delta.dispose();
    return { q: dq, k: dk, v: dv };
  },
};
