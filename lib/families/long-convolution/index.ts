/** Family long-convolution: causal convolution with filters as long as the sequence. */
import { ShapeError, show } from '../../core/errors.js';
import { sameShape, sizeOf, type Dims, type Shape } from '../../core/shape.js';
import { add, mul } from '../../ops/map/index.js';
import { oneToken } from '../../ops/sequence/index.js';
import type { Form } from '../../tensor/backend.js';
import { defineOperator, type Call } from '../../tensor/operator.js';
import type { Tensor } from '../../tensor/tensor.js';
import { parallelCpu, transformBits } from './fft.js';
import { chunked, directWasm, parallelWasm } from './forms.js';
import { chunkGpu, stepGpu } from './gpu.js';
import { longConvolutionReference } from './reference.js';

function check(call: Call): void {
  const { B, D, W } = call.dims;
  if (W === 0) throw new ShapeError(`long-convolution: filter must have at least one tap, got [0, ${D}]`);
  const state = call.in.initialState;
  if (state && state.shape[0] !== B)
    throw new ShapeError(
      `long-convolution: initialState must have B = ${B} rows, got ${show([...state.shape])}`,
    );
}

/** Taps that shrink, so that long filters keep outputs of one size. */
function sample(
  input: string,
  shape: Shape,
  uniform: () => number,
  dims: Dims,
): ArrayLike<number> | undefined {
  if (input !== 'filter') return undefined;
  return Float64Array.from({ length: sizeOf(shape) }, () => (2 * uniform() - 1) / Math.sqrt(dims.W));
}

/** Operations of transforms of N points, three for a sequence and channel, and of the products between. */
function flops({ B, T, D, W }: Dims): number {
  const bits = transformBits(Math.min(W, T) - 1 + T);
  return 2 ** bits * D * (5 * bits * (2 * B + 1) * 0.5 + 6 * B);
}

const op = defineOperator({
  id: 'long-convolution',
  summary: 'causal convolution over time with a filter of any length, per channel',
  equation: 'y_t = sum_{s=0}^{W-1} h_s u_{t-s}',
  inputs: [
    { name: 'u', shape: 'B T D', half: true, doc: 'inputs' },
    { name: 'filter', shape: 'W D', doc: 'taps, the newest input first' },
    {
      name: 'initialState',
      shape: 'B W-1 D',
      optional: true,
      doc: 'the W - 1 inputs before the first token, oldest first; zeros when absent',
    },
  ],
  outputs: [
    { name: 'y', shape: 'B T D', doc: 'outputs' },
    { name: 'finalState', shape: 'B W-1 D', doc: 'the last W - 1 inputs, for the next call' },
  ],
  parameters: {},
  state: 'B W-1 D',
  check,
  forms: {
    reference: { cpu: longConvolutionReference },
    parallel: { cpu: parallelCpu, wasm: parallelWasm },
    chunk: { cpu: chunked(parallelCpu), wasm: chunked(parallelWasm), webgpu: chunkGpu },
    step: {
      cpu: oneToken(longConvolutionReference, 'u'),
      wasm: oneToken(directWasm, 'u'),
      webgpu: oneToken(stepGpu, 'u'),
    },
  },
  flops,
  bytes: (d) => 4 * (2 * d.B * d.T * d.D + d.W * d.D + 2 * d.B * (d.W - 1) * d.D),
  cases: [
    { name: 'plain', dims: { B: 2, T: 13, D: 5, W: 13 } },
    { name: 'short-filter', dims: { B: 1, T: 31, D: 9, W: 4 }, with: ['initialState'] },
    { name: 'long-filter', dims: { B: 2, T: 7, D: 3, W: 29 }, with: ['initialState'] },
    { name: 'filter-beyond', dims: { B: 1, T: 5, D: 2, W: 70 } },
    { name: 'one-token', dims: { B: 2, T: 1, D: 19, W: 37 }, with: ['initialState'] },
    { name: 'one-token-alone', dims: { B: 2, T: 1, D: 3, W: 5 } },
    { name: 'one-tap', dims: { B: 2, T: 29, D: 3, W: 1 }, with: ['initialState'] },
    { name: 'empty', dims: { B: 2, T: 0, D: 3, W: 6 }, with: ['initialState'] },
    { name: 'block-less-one', dims: { B: 1, T: 63, D: 4, W: 63 }, with: ['initialState'] },
    { name: 'block', dims: { B: 2, T: 64, D: 8, W: 64 }, with: ['initialState'] },
    { name: 'block-and-one', dims: { B: 1, T: 65, D: 11, W: 65 }, with: ['initialState'] },
    { name: 'blocks', dims: { B: 1, T: 521, D: 3, W: 521 }, with: ['initialState'] },
    { name: 'prime', dims: { B: 2, T: 263, D: 2, W: 131 } },
  ],
  sample,
  sources: [
    'definition; Cooley and Tukey 1965; partitioned overlap-save: Kulp 1988; long filters as sequence mixers: Hyena, arXiv 2302.10866, section 2.2',
  ],
});

export interface LongConvolutionOptions {
  /** D of the skip D u, [D]. */
  skip?: Tensor;
  /** [B,T,D], multiplies the result. */
  gate?: Tensor;
  /** [B,W-1,D], the inputs before the first token, oldest first. */
  initialState?: Tensor;
  form?: Form;
}

/** Products broadcast; these must not. */
function checkShape(name: string, t: Tensor | undefined, shape: Shape): void {
  if (t && !sameShape(t.shape, shape))
    throw new ShapeError(
      `long-convolution: ${name} must have shape ${show([...shape])}, got ${show([...t.shape])}`,
    );
}

/**
 * y = gate (h * u + skip u) for u [B,T,D] and a filter [W,D], filter[s] being what an input contributes s tokens later.
 * finalState [B,W-1,D] holds the last W - 1 inputs. Gradients flow to every input and through both outputs.
 * @throws ShapeError for a filter without taps, or a state, skip or gate of another shape
 */
export function longConvolution(
  u: Tensor,
  filter: Tensor,
  options: LongConvolutionOptions = {},
): { y: Tensor; finalState: Tensor } {
  const { skip, gate, initialState, form, ...params } = options;
  const { y: mixed, finalState } = op({ u, filter, initialState }, params, { form });
  checkShape('skip', skip, [u.shape[2]]);
  checkShape('gate', gate, u.shape);
  const skipped = skip ? add(mixed, mul(u, skip)) : mixed;
  return { y: gate ? mul(gate, skipped) : skipped, finalState };
}

/** One token (T = 1) from a cache of the last W - 1 inputs to the next one: W products a channel. */
export function longConvolutionStep(
  u: Tensor,
  filter: Tensor,
  options: Omit<LongConvolutionOptions, 'form'> = {},
): { y: Tensor; finalState: Tensor } {
  return longConvolution(u, filter, { ...options, form: 'step' });
}

export { op as longConvolutionOperator };
