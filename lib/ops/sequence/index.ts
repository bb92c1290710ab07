/** What operators over sequences share: packed sequences, states, the one-token form. */
import { ArgumentError, ShapeError, show } from '../../core/errors.js';
import type { Dims } from '../../core/shape.js';
import type { Call, Implementation, InputSpec } from '../../tensor/operator.js';

/** The optional input that packs several sequences into one row of the batch. */
export const CU_SEQLENS: InputSpec = {
  name: 'cuSeqlens',
  shape: 'S+1',
  dtypes: ['i32'],
  optional: true,
  differentiable: false,
  doc: 'starts of packed sequences and the end of the last; then B = 1 and states have one row a sequence',
};

/** One sequence: row of its state, first position in the flattened [B T] axis, tokens. */
export type Sequence = readonly [row: number, first: number, length: number];

/** Sequences of a call, in order: those of the batch, or the packed ones. Host tensors only. */
export function sequencesOf(call: Call): Sequence[] {
  const { B, T } = call.dims;
  const cu = call.in.cuSeqlens?.dataSync();
  if (!cu) return Array.from({ length: B }, (_, b) => [b, b * T, T] as const);
  return Array.from({ length: cu.length - 1 }, (_, s) => [s, cu[s], cu[s + 1] - cu[s]] as const);
}

/** Rows of the states of a call: sequences of the batch, or packed ones. */
export function stateRows(call: Call): number {
  return call.in.cuSeqlens ? call.in.cuSeqlens.size - 1 : call.dims.B;
}

/**
 * Checks `cuSeqlens` and the first axis of every input named in `states`. `first` names the input that sets B.
 * On a GPU the values of cuSeqlens are not read; kernels cut ranges to T.
 * @throws ShapeError or ArgumentError
 */
export function checkSequences(
  call: Call,
  first: string,
  states: readonly string[] = ['initialState'],
): void {
  const { B, T } = call.dims;
  const cu = call.in.cuSeqlens;
  const rows = stateRows(call);
  if (cu && B !== 1)
    throw new ShapeError(`${call.op.id}: ${first} must have B = 1 with cuSeqlens, got B = ${B}`);
  if (cu && cu.size < 2)
    throw new ShapeError(
      `${call.op.id}: cuSeqlens must hold the start and the end of a sequence, got ${cu.size} values`,
    );
  for (const name of states) {
    const t = call.in[name];
    if (t && t.shape[0] !== rows)
      throw new ShapeError(
        `${call.op.id}: ${name} must have one row a sequence (${rows}), got ${t.shape[0]}`,
      );
  }
  if (!cu || cu.device === 'gpu') return;
  const c = cu.dataSync();
  const ok = c[0] === 0 && c[c.length - 1] === T && c.every((v, i) => i === 0 || v >= c[i - 1]);
  if (!ok)
    throw new ArgumentError(
      `${call.op.id}: cuSeqlens must start at 0, never fall and end at T = ${T}, got ${show(Array.from(c))}`,
    );
}

/** The same arithmetic for one token: what generation runs. `first` names the input whose T is looked at. */
export function oneToken(implementation: Implementation, first: string): Implementation {
  return {
    ...implementation,
    forward: (call) => {
      if (call.dims.T !== 1)
        throw new ArgumentError(
          `${call.op.id}: ${first} must hold one token in form step, got T = ${call.dims.T}`,
        );
      return implementation.forward(call);
    },
  };
}

/** Packed starts for test cases, found by their last value: one token, none, several; several chunks. */
const PACKED = [
  [0, 1, 1, 8, 31],
  [0, 1, 65, 193],
  [0, 300, 300, 301, 821],
];

/** Values of `cuSeqlens` for a case with T = 31 (four sequences), 193 (three) or 821 (four). */
export function samplePacked(dims: Dims): Int32Array {
  return Int32Array.from(PACKED.find((starts) => starts.at(-1) === dims.T) ?? []);
}
