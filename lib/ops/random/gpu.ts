/** Words of a Philox stream on the GPU: every invocation makes its own block. */
import { dispatch, gpuEmpty } from '../../gpu/dispatch.js';
import type { Implementation } from '../../tensor/operator.js';

const TWO_TO_32 = 4294967296;

function words(dtype: 'f32' | 'u32'): Implementation {
  return {
    forward: (call) => {
      const { keyLow, keyHigh, position } = call.params as Record<string, number>;
      const y = gpuEmpty(call.op.id, call.params.shape as number[], dtype);
      dispatch({
        where: call.op.id,
        kernel: 'ops/random/words',
        defs: { T: dtype },
        overrides: { UNIFORM: dtype === 'f32' ? 1 : 0 },
        tensors: { y },
        params: {
          count: y.size,
          key_low: keyLow,
          key_high: keyHigh,
          position_low: position % TWO_TO_32,
          position_high: Math.floor(position / TWO_TO_32),
        },
        threads: y.size,
      });
      return { y };
    },
  };
}

export const bitsGpu = words('u32');
export const uniformGpu = words('f32');
