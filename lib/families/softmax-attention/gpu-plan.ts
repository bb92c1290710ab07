/** What every attention kernel reads: a table of tiles, the block mask, slopes and sinks in one buffer. */
import { DeviceError } from '../../core/errors.js';
import { dispatch, floatType, gpuEmpty } from '../../gpu/dispatch.js';
import type { Call } from '../../tensor/operator.js';
import type { Tensor } from '../../tensor/tensor.js';
import { blocksOf, reachOf } from './layout.js';

export const WHERE = 'softmax-attention';
/** Widest head: 16 columns an invocation. */
const WIDEST = 256;
const FAR = 2 ** 30;

export interface Plan {
  /** i32; see kernels-wgsl/shared/attention. */
  tensor: Tensor;
  /** Tiles; some hold nothing when packed. */
  tiles: number;
  /** Fields that the kernels' parameters share. */
  params: Record<string, number>;
}

/** Cuts queries or keys into tiles of `tile` rows that never cross a sequence. Nothing is read back. */
export function planOf(call: Call, tile: number, axis: 'queries' | 'keys'): Plan {
  const { B, Tq, Tk, H, Hkv, K, V } = call.dims;
  const { cuSeqlensQ, cuSeqlensK, keyCounts, prefix, blockMask, alibiSlopes, sink } = call.in;
  const time = axis === 'queries' ? Tq : Tk;
  const per = Math.ceil(time / tile);
  const sequences = cuSeqlensQ ? cuSeqlensQ.size - 1 : B;
  const tiles = cuSeqlensQ ? Math.floor(time / tile) + sequences : B * per;
  let words = 12 * tiles;
  const place = (t: Tensor | undefined) => {
    const at = t ? words : 0;
    words += t?.size ?? 0;
    return at;
  };
  const at = { mask_at: place(blockMask), alibi_at: place(alibiSlopes), sink_at: place(sink) };
  const tensor = gpuEmpty(WHERE, [words], 'i32');
  dispatch({
    where: WHERE,
    kernel: 'families/softmax-attention/plan',
    tensors: {
      ...{ cu_q: cuSeqlensQ, cu_k: cuSeqlensK, counts: keyCounts, prefix },
      ...{ mask: blockMask, alibi: alibiSlopes, sink, plan: tensor },
    },
    params: {
      ...{ count: tiles, tile, of_keys: Number(axis === 'keys'), tq: Tq, tk: Tk, sequences, per },
      keys: (call.params.keys as number | undefined) ?? Tk,
      packed: Number(cuSeqlensQ !== undefined),
      has_counts: Number(keyCounts !== undefined),
      has_prefix: Number(prefix !== undefined),
      mask_size: blockMask?.size ?? 0,
      heads: H,
      ...at,
    },
    threads: Math.max(tiles, blockMask?.size ?? 0, H),
    work: tiles * 16,
  });
  const { left, right } = reachOf(call.params);
  const blocks = blocksOf(call);
  const params = {
    ...{ heads: H, kv_heads: Hkv, tq: Tq, tk: Tk, k: K, v: V, ...at },
    left: Math.min(left, FAR),
    right: Math.min(right, FAR),
    block: blocks?.size ?? 1,
    mask_batch: blocks?.batchStride ?? 0,
    mask_head: blocks?.headStride ?? 0,
    mask_row: blocks?.rowStride ?? 0,
    scale: (call.params.scale as number | undefined) ?? 1 / Math.sqrt(K),
    softcap: (call.params.softcap as number | undefined) ?? 0,
  };
  return { tensor, tiles, params };
}

/** The variant of a kernel whose columns hold `width`. @throws DeviceError for heads too wide */
export function definesOf(call: Call, width: number): { F: string; COLUMNS: string } {
  const { K, V } = call.dims;
  if (Math.max(K, V) > WIDEST)
    throw new DeviceError(
      `${WHERE}: K and V must be <= ${WIDEST} on the GPU, got K = ${K} and V = ${V}; use the form parallel`,
    );
  const columns = [4, 8, 16].find((c) => c * 16 >= width)!;
  return { F: floatType(WHERE, call.in.q!), COLUMNS: `${columns}u` };
}
