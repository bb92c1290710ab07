/** Words of a Philox stream, one after the other. */
import { philoxBlock, wordToUniform } from '../../core/philox.js';
import { currentDevice } from '../../tensor/backend.js';
import type { Kernel } from '../../tensor/operator.js';
import { Tensor } from '../../tensor/tensor.js';

const TWO_TO_32 = 4294967296;

function words(convert: (word: number) => number, dtype: 'f32' | 'u32'): Kernel {
  return (call) => {
    const { keyLow, keyHigh, position } = call.params as Record<string, number>;
    const y = Tensor.empty(call.params.shape as number[], dtype, currentDevice(), call.op.id);
    const to = y.dataSync();
    const block = new Uint32Array(4);
    for (let i = 0; i < to.length; i++) {
      const at = position + i;
      const index = Math.floor(at / 4);
      if (i === 0 || at % 4 === 0)
        philoxBlock(index % TWO_TO_32, Math.floor(index / TWO_TO_32), 0, 0, keyLow, keyHigh, block, 0);
      to[i] = convert(block[at % 4]);
    }
    return { y };
  };
}

export const bits = words((word) => word, 'u32');
export const uniform = words(wordToUniform, 'f32');
