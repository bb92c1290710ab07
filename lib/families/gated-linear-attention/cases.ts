/** Sizes that every form of the family's operators is held to. */
import { sizeOf, type Dims, type Shape } from '../../core/shape.js';
import { samplePacked } from '../../ops/sequence/index.js';
import type { OperatorCase } from '../../tensor/operator.js';

const packed = (T: number, S: number) => ({ B: 1, T, H: 2, K: 4, V: 3, S });

export const CASES: readonly OperatorCase[] = [
  { name: 'plain', dims: { B: 2, T: 7, H: 2, K: 4, V: 3 } },
  { name: 'one-token', dims: { B: 2, T: 1, H: 3, K: 5, V: 4 }, with: ['initialState'] },
  { name: 'chunk-and-one', dims: { B: 1, T: 65, H: 2, K: 6, V: 8 }, with: ['initialState'] },
  { name: 'scaled', dims: { B: 1, T: 37, H: 2, K: 8, V: 5 }, with: ['initialState'], params: { scale: 0.3 } },
  {
    name: 'packed',
    dims: packed(31, 4),
    shapes: { initialState: [4, 2, 4, 3] },
    with: ['initialState', 'cuSeqlens'],
  },
  { name: 'packed-long', dims: packed(193, 3), with: ['cuSeqlens'] },
  {
    name: 'strong-decay',
    dims: { B: 1, T: 41, H: 2, K: 5, V: 4, least: 20, strong: 40 },
    with: ['initialState'],
  },
  { name: 'no-decay', dims: { B: 1, T: 23, H: 2, K: 4, V: 5, strong: 0 }, with: ['initialState'] },
  { name: 'empty', dims: { B: 2, T: 0, H: 2, K: 4, V: 3 }, with: ['initialState'] },
];

/** Raw gates of HGRN-2: open and shut ones beside those in between, and bounds. */
export const HGRN2_CASES: readonly OperatorCase[] = [
  ...CASES.filter((c) => !['strong-decay', 'no-decay'].includes(c.name)),
  { name: 'bounded', dims: { B: 2, T: 19, H: 2, K: 4, V: 3 }, with: ['lowerBound', 'initialState'] },
  { name: 'shut', dims: { B: 1, T: 41, H: 2, K: 5, V: 4, shift: -30 }, with: ['initialState'] },
  { name: 'open', dims: { B: 1, T: 41, H: 2, K: 5, V: 4, shift: 9 }, with: ['lowerBound', 'initialState'] },
];

/** Log-decays in [-least - strong, -least], raw gates normal around `shift`, bounds in [0, 0.9). */
export function sample(
  input: string,
  shape: Shape,
  uniform: () => number,
  dims: Dims,
): ArrayLike<number> | undefined {
  const draw = (f: () => number) => Float64Array.from({ length: sizeOf(shape) }, f);
  const { least = 0, strong = 1, shift = 0 } = dims;
  if (input === 'cuSeqlens') return samplePacked(dims);
  if (input === 'gk' || input === 'g') return draw(() => -(least + strong * uniform()));
  if (input === 'lowerBound') return draw(() => 0.9 * uniform());
  if (input === 'f') return draw(() => shift + 4 * uniform() - 2);
  return undefined;
}
