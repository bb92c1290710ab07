/** f16 bit patterns, rounded to nearest even. Node 20 has no Float16Array. */
import { Float16Array } from '@petamoriken/float16';

const half = new Float16Array(1);
const bits = new Uint16Array(half.buffer);

/** The 16-bit pattern of the f16 nearest to `value`. */
export function getFloat16Bits(value: number): number {
  half[0] = value;
  return bits[0];
}

/** The number a 16-bit f16 pattern stands for. */
export function float16FromBits(pattern: number): number {
  bits[0] = pattern;
  return half[0];
}
