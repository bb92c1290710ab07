/** What the GPU forms of the selective scan share: slots of time, the table of constants, shapes of temporaries. */
import { ShapeError } from '../../core/errors.js';
import { dispatch, floatType, gpuEmpty, type Dispatch } from '../../gpu/dispatch.js';
import type { Call } from '../../tensor/operator.js';
import type { Tensor } from '../../tensor/tensor.js';

export const WHERE = 'selective-scan';
/** Tokens between kept states, and lanes of a workgroup: as in kernels-wgsl/shared/selective-scan. */
export const TILE = 16;
const LANES = 64;
/** A channel's states must fit into the lanes of a workgroup, four to a lane. */
const MOST_STATES = 4 * LANES;
/** Token ranges are handed over as f32. */
const MOST_TOKENS = 2 ** 24;
/** Lanes that keep a GPU busy, and those worth having: chunks are made shorter until there are as many. */
const FULL = 2 ** 15;
const PLENTY = 2 ** 17;
/** Fewer tokens than this are not worth three phases. */
const LONG = 256;

/** How a call is laid over slots of time and workgroups. */
export interface Plan {
  tokens: number;
  sequences: number;
  d: number;
  states: number;
  groups: number;
  /** Vectors of four states that hold a channel's states. */
  quads: number;
  /** Workgroups that share the channels of a group. */
  blocks: number;
  slots: number;
  /** Rows of kept states. */
  keptRows: number;
  /** True when a slot is a whole sequence. */
  whole: boolean;
  bVaries: boolean;
  cVaries: boolean;
  defs: { F: 'f32' | 'f16'; QUADS: string };
  /** Fields of `struct Params` in kernels-wgsl/shared/selective-scan; offsets within other temporaries are zero. */
  params: Record<string, number>;
}

const quadsOf = (states: number) => Math.max(2, Math.ceil(states / 4));

/** Do whole sequences alone give enough lanes? */
function fills(sequences: number, d: number, states: number): boolean {
  return sequences * d * quadsOf(states) >= FULL;
}

/**
 * The form for sizes: `chunk` for sequences of at least 256 tokens whose channels and states alone, one lane for four
 * states, are fewer than 32,768 lanes; `recurrent` otherwise.
 */
export function preferredGpuForm(dims: Call['dims']): 'chunk' | 'recurrent' {
  const sequences = dims.S ?? dims.B;
  const time = dims.S ? (dims.B * dims.T) / Math.max(1, dims.S) : dims.T;
  return time >= LONG && !fills(sequences, dims.D, dims.N) ? 'chunk' : 'recurrent';
}

function sizesOf(call: Call) {
  const { B, T: time, D: d, N: states } = call.dims;
  const cu = call.in.cuSeqlens;
  const sequences = cu ? cu.size - 1 : B;
  return { time, d, states, sequences, tokens: B * time, packed: cu !== undefined };
}

/** Tokens to a chunk: 16 to 128, the longest that gives lanes in plenty; longer chunks move fewer states. */
export function chunkLength(call: Call): number {
  const { d, states, sequences, tokens } = sizesOf(call);
  const lanes = d * quadsOf(states);
  const length = (tokens * lanes) / PLENTY;
  const average = tokens / Math.max(1, sequences);
  return Math.max(16, Math.min(128, 2 ** Math.floor(Math.log2(Math.max(1, Math.min(length, average))))));
}

/** What the backward pass runs over where nothing is asked for: whole sequences if they fill the device or are short. */
export function gradientLength(call: Call): number | undefined {
  const { d, states, sequences, tokens } = sizesOf(call);
  const short = tokens <= 2 * TILE * sequences;
  return short || fills(sequences, d, states) ? undefined : chunkLength(call);
}

/** The plan of a call over chunks of a length, a multiple of 16, or over whole sequences. */
export function planOf(call: Call, length: number | undefined): Plan {
  const { time, d, states, sequences, tokens, packed } = sizesOf(call);
  if (packed && time > MOST_TOKENS)
    throw new ShapeError(`${WHERE}: T must be <= ${MOST_TOKENS} with cuSeqlens on the GPU, got ${time}`);
  if (d === 0) throw new ShapeError(`${WHERE}: D must be >= 1 on the GPU, got 0`);
  if (states > MOST_STATES)
    throw new ShapeError(`${WHERE}: N must be <= ${MOST_STATES} on the GPU, got ${states}; use wasm or cpu`);
  const groups = call.dims.G ?? 1;
  const quads = quadsOf(states);
  const bVaries = call.in.B!.rank === 4;
  const cVaries = call.in.C!.rank === 4;
  const chunk = length ?? time + 1;
  const per = length ? Math.ceil(time / length) : 1;
  const slots = packed ? Math.floor(time / chunk) + sequences : sequences * per;
  const blocks = Math.ceil(d / groups / Math.floor(LANES / quads));
  const atChannel = d * quads;
  const atSlots = atChannel + d;
  const atB = atSlots + (packed ? slots : 0);
  const atC = atB + (bVaries ? tokens * groups : d) * quads;
  return {
    tokens,
    sequences,
    d,
    states,
    groups,
    quads,
    blocks,
    slots,
    keptRows: packed ? Math.floor(time / TILE) + sequences : sequences * Math.ceil(time / TILE),
    whole: length === undefined,
    bVaries,
    cVaries,
    defs: { F: floatType(WHERE, call.in.u!), QUADS: `${quads}u` },
    params: {
      slots,
      d,
      states,
      time,
      groups,
      blocks,
      chunk,
      per,
      packed: packed ? 1 : 0,
      softplus: call.params.softplus ? 1 : 0,
      b_varies: bVaries ? 1 : 0,
      c_varies: cVaries ? 1 : 0,
      at_channel: atChannel,
      at_slots: atSlots,
      at_b: atB,
      at_c: atC,
      tokens,
      start_width: states,
      plane: 0,
      at_partial: 0,
      at_sums: 0,
      sum_width: 0,
    },
  };
}

/** Rates, B and C in quads, skip weights, biases and token ranges, in one binding. */
export function tableOf(call: Call, plan: Plan): Tensor {
  const { A: rates, D: skip, deltaBias: bias, B: b, C: c, cuSeqlens: cu } = call.in;
  const { at_channel, at_slots, at_b, at_c, time, chunk } = plan.params;
  const count = at_c + (plan.cVaries ? plan.tokens * plan.groups : plan.d) * plan.quads;
  const table = gpuEmpty(WHERE, [count, 4]);
  dispatch({
    where: WHERE,
    kernel: 'families/selective-scan/table',
    defs: { F: plan.defs.F },
    overrides: { SKIP: skip ? 1 : 0, BIAS: bias ? 1 : 0 },
    tensors: { rates, skip, bias, cu, b, c, table },
    params: {
      count,
      quads: plan.quads,
      states: plan.states,
      time,
      chunk,
      sequences: plan.sequences,
      at_channel,
      at_slots,
      at_b,
      at_c,
    },
    threads: count,
    work: count * 8,
  });
  return table;
}

/**
 * Runs with a stand-in for every output that is not wanted: the buffer that stands for absent inputs must not be bound
 * for writing as well.
 */
export function withOutputs(
  outputs: Record<string, Tensor | undefined>,
  run: (whole: Record<string, Tensor>) => void,
): void {
  const spare: Tensor[] = [];
  const whole: Record<string, Tensor> = {};
  for (const [name, t] of Object.entries(outputs)) {
    if (!t) spare.push(gpuEmpty(WHERE, [1]));
    whole[name] = t ?? spare.at(-1)!;
  }
  run(whole);
  for (const t of spare) t.dispose();
}

/** One workgroup for each block of channels of each slot. */
export function dispatchSlots(
  plan: Plan,
  kernel: string,
  tensors: Dispatch['tensors'],
  overrides: Dispatch['overrides'],
  params: Record<string, number> = {},
  rows = plan.slots * plan.groups * plan.blocks,
): void {
  dispatch({
    where: WHERE,
    kernel: `families/selective-scan/${kernel}`,
    defs: plan.defs,
    overrides,
    tensors,
    params: { ...plan.params, ...params },
    rows,
    work: plan.tokens * plan.d * plan.quads * 64,
  });
}

/** Replaces what chunks made from zero by what enters them; `edge` enters the first one, `last` leaves the last. */
export function carry(
  plan: Plan,
  tensors: { table: Tensor; steps?: Tensor; cu?: Tensor; edge?: Tensor; chunks: Tensor; last?: Tensor },
  reverse: boolean,
): void {
  const { d, states, time, chunk, per, packed } = plan.params;
  const count = plan.sequences * plan.d * plan.quads * 4;
  withOutputs({ last: tensors.last }, (outputs) =>
    dispatch({
      where: WHERE,
      kernel: 'families/selective-scan/chunk-carry',
      overrides: { REVERSE: reverse ? 1 : 0, SEEDED: tensors.edge ? 1 : 0, WHOLE: plan.whole ? 1 : 0 },
      tensors: { ...tensors, ...outputs },
      params: { count, d, states, quads: plan.quads, time, chunk, per, packed },
      threads: count,
      work: plan.slots * plan.d * plan.quads * 16,
    }),
  );
}
