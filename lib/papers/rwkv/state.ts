/** What the recurrences of a layer of RWKV-4 carry from token to token. */
import { tokenShift, wkv4 } from '../../families/rwkv/index.js';
import { normal } from '../../nn/index.js';
import { full } from '../../tensor/tensor.js';
import type { Measurement } from '../ledger/types.js';
import { keptBytes } from '../state-bytes.js';

const WIDTH = 64;

/** Bytes after growing contexts: WKV's three rows and the last token of both mixings; attention of the same width. */
export function measureState(): Measurement[] {
  return keptBytes('rwkv', { heads: 2, size: WIDTH / 2 }, (random, tokens) => {
    const draw = () => normal(random, [1, tokens, WIDTH], 1);
    const parameter = (value: number) => full([WIDTH], value);
    return [
      wkv4({ k: draw(), v: draw(), decay: parameter(-0.1), bonus: parameter(0.5) }).finalState,
      tokenShift(draw()).finalState,
      tokenShift(draw()).finalState,
    ];
  });
}
