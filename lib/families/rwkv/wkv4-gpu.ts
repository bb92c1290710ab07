/**
 * WKV of RWKV-4 on the GPU: whole sequences by the recurrence, or chunks of time in three phases. Both keep the state before
 * every 16th token for the one backward pass they share, which always runs over chunks.
 */
import { ArgumentError } from '../../core/errors.js';
import type { Dims } from '../../core/shape.js';
import { dispatch, floatType, gpuEmpty, type Dispatch } from '../../gpu/dispatch.js';
import { sumAxisGpu } from '../../ops/reduce/gpu.js';
import { slotsOf } from '../../ops/sequence/gpu.js';
import { stateRows } from '../../ops/sequence/index.js';
import { concat } from '../../ops/structure/index.js';
import type { Call, Implementation, OptionalTensors } from '../../tensor/operator.js';
import type { Tensor } from '../../tensor/tensor.js';

const WHERE = 'rwkv/wkv4';
/** Tokens between kept states, as in kernels-wgsl/shared/wkv4. */
const TILE = 16;
/** Tokens of a chunk where nothing else is asked for. */
const CHUNK = 64;
/** Lanes that keep a GPU busy. */
const FULL = 2 ** 15;
/** Fewer tokens than this are not worth three phases. */
const LONG = 256;
/** Elements that regions of shared buffers are aligned to: 256 bytes in f32 and f16, so that views bind as they are. */
const ALIGN = 128;

/** The form for sizes: `chunk` from 256 tokens on where sequences and channels alone are fewer than 32,768 lanes. */
export function preferredWkv4Form(dims: Dims): 'chunk' | 'recurrent' {
  const sequences = dims.S ?? dims.B;
  const time = dims.S ? (dims.B * dims.T) / Math.max(1, dims.S) : dims.T;
  return time >= LONG && sequences * dims.D < FULL ? 'chunk' : 'recurrent';
}

/** Offset of the winners in the kept words: after the rows of kept states. */
function winnersAt(call: Call): number {
  const { B, T, D } = call.dims;
  return (Math.floor((B * T) / TILE) + stateRows(call) + 1) * 4 * D;
}

/** One kernel, one invocation for each channel of `rows` slots or sequences. */
function run(
  call: Call,
  kernel: string,
  rows: number,
  tensors: Dispatch['tensors'],
  overrides: Record<string, unknown> = {},
  params: Record<string, number> = {},
): void {
  const { B, T, D } = call.dims;
  const typed = kernel !== 'wkv4-carry' && kernel !== 'wkv4-back';
  dispatch({
    where: WHERE,
    kernel: `families/rwkv/${kernel}`,
    defs: typed ? { F: floatType(WHERE, call.in.k!) } : {},
    overrides: Object.fromEntries(Object.entries(overrides).map(([name, on]) => [name, on ? 1 : 0])),
    tensors,
    params: { count: rows * D, d: D, ...params },
    threads: rows * D,
    work: B * T * D * 32,
  });
}

/** Runs with a stand-in for outputs that are not wanted: no buffer may be bound for reading and writing. */
function withSpare(
  tensors: Dispatch['tensors'],
  names: readonly string[],
  use: (all: Dispatch['tensors']) => void,
) {
  const spare = names.filter((name) => !tensors[name]).map((name) => [name, gpuEmpty(WHERE, [8])] as const);
  use({ ...tensors, ...Object.fromEntries(spare) });
  for (const [, t] of spare) t.dispose();
}

const ratesOf = (call: Call): Tensor => concat([call.in.decay!, call.in.bonus!], 0);

/** Whole sequences where `length` is absent. */
function forward(call: Call, length: number | undefined): OptionalTensors {
  const { B, T, D } = call.dims;
  const { k, v, initialState } = call.in;
  const S = stateRows(call);
  const y = gpuEmpty(WHERE, k!.shape, k!.dtype);
  const finalState = gpuEmpty(WHERE, [S, 3, D]);
  const at_winners = winnersAt(call);
  if (call.training) call.saved.kept = gpuEmpty(WHERE, [at_winners + S * 2 * D], 'u32');
  const { kept } = call.saved;
  const rates = ratesOf(call);
  // Without tokens there are no slots, and only the carry writes the final state.
  const whole = length === undefined && B * T > 0;
  const chunk = whole ? T : (length ?? CHUNK);
  const slots = slotsOf(call, chunk);
  let start = initialState;
  if (!whole) {
    start = gpuEmpty(WHERE, [slots.count, D, 4]);
    run(call, 'wkv4-local', slots.count, { k, v, rates, slots: slots.table, chunks: start });
    const carried = { initial: initialState, chunks: start, last: finalState, kept };
    withSpare({ rates, slots: slots.table, ranges: slots.ranges, ...carried }, ['kept'], (all) =>
      run(call, 'wkv4-carry', S, all, { SEEDED: initialState, KEPT: kept }, { at_winners }),
    );
  }
  const tensors = { k, v, rates, slots: slots.table, start, y, last: whole ? finalState : undefined, kept };
  withSpare(tensors, ['last', 'kept'], (all) =>
    run(
      call,
      'wkv4-apply',
      slots.count,
      all,
      { WHOLE: whole, START: start, KEPT: kept },
      { chunk, at_winners },
    ),
  );
  if (!whole) start!.dispose();
  rates.dispose();
  slots.dispose();
  return { y, finalState };
}

function backward(call: Call, chunk: number): OptionalTensors {
  const { D } = call.dims;
  const { k, v, initialState } = call.in;
  const { y: dy, finalState: dfinal } = call.grad;
  const { finalState: final_state } = call.out;
  const { kept } = call.saved;
  const S = stateRows(call);
  const rates = ratesOf(call);
  const slots = slotsOf(call, chunk);
  const at_sums = slots.count * D * 4;
  const work = gpuEmpty(WHERE, [at_sums + (slots.count + S) * 2 * D]);
  const adjoint = gpuEmpty(WHERE, [S, D, 2]);
  const plane = Math.ceil(k!.size / ALIGN) * ALIGN;
  const grads = gpuEmpty(WHERE, [2 * plane], k!.dtype);
  const shared = { k, v, dy, rates, slots: slots.table, kept };
  run(call, 'wkv4-adjoint', slots.count, { ...shared, chunks: work }, { DY: dy }, { chunk });
  run(call, 'wkv4-back', S, { ranges: slots.ranges, dfinal, chunks: work, adjoint }, { SEEDED: dfinal });
  run(call, 'wkv4-gradient', slots.count, { ...shared, work, grads }, { DY: dy }, { chunk, at_sums, plane });
  const dinitial = initialState && gpuEmpty(WHERE, initialState.shape);
  const edges = { initial: initialState, final_state, dfinal, adjoint, kept, grads, work, dinitial };
  withSpare(edges, ['dinitial'], (all) =>
    run(
      call,
      'wkv4-edges',
      S,
      all,
      { INITIAL: initialState, DFINAL: dfinal },
      { at_winners: winnersAt(call), at_sums: at_sums + slots.count * 2 * D },
    ),
  );
  const sums = work.view([(slots.count + S) * 2 * D], at_sums);
  const totals = sumAxisGpu(WHERE, sums, 1, slots.count + S, 2 * D);
  const [decay, bonus] = [totals.view([D], 0), totals.view([D], D)];
  const made = {
    k: grads.view(k!.shape, 0),
    v: grads.view(v!.shape, plane),
    decay,
    bonus,
    initialState: dinitial,
  };
  for (const t of [rates, work, adjoint, grads, sums, totals]) t.dispose();
  slots.dispose();
  return made;
}

/** Whole sequences in order: one invocation a sequence and channel. */
export const wkv4RecurrentGpu: Implementation = {
  forward: (call) => forward(call, undefined),
  backward: (call) => backward(call, CHUNK),
};

/**
 * Chunks of time in parallel, forward and backward, of `length` tokens.
 * @throws ArgumentError unless the length is a positive multiple of 16
 */
export function wkv4ChunkGpu(length = CHUNK): Implementation {
  if (!(length > 0 && length % TILE === 0))
    throw new ArgumentError(`${WHERE}: length must be a positive multiple of ${TILE}, got ${length}`);
  return { forward: (call) => forward(call, length), backward: (call) => backward(call, length) };
}
