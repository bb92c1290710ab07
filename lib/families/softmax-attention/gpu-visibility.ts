/** Which pairs are seen, on the GPU, for the naive form. */
import { dispatch, gpuEmpty } from '../../gpu/dispatch.js';
import type { Call } from '../../tensor/operator.js';
import type { Tensor } from '../../tensor/tensor.js';
import { planOf, WHERE } from './gpu-plan.js';

/** seen [B, 1 or H, Tq, Tk] in 1 and 0, distances [B, 1, Tq, Tk]. */
export function visibilityGpu(call: Call): { seen: Tensor; distances: Tensor } {
  const { B, Tq, Tk, H } = call.dims;
  const { tensor, tiles, params } = planOf(call, 64, 'queries');
  const heads = params.mask_head > 0 ? H : 1;
  const seen = gpuEmpty(WHERE, [B, heads, Tq, Tk]);
  const distances = gpuEmpty(WHERE, [B, 1, Tq, Tk]);
  dispatch({
    where: WHERE,
    kernel: 'families/softmax-attention/visibility',
    tensors: { plan: tensor, seen, distances },
    params: { ...params, count: seen.size, mask_heads: heads, tiles },
    threads: seen.size,
    work: seen.size * tiles,
  });
  tensor.dispose();
  return { seen, distances };
}
