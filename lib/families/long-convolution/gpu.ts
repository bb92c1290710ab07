/**
 * Long convolution on the GPU: the sequence and the filter in blocks of C, spectra of 2 C points, sums of products over
 * blocks, and back (uniformly partitioned overlap-save). Transforms stay in the memory of a workgroup, so any length works
 * within the default limits; the sums over blocks grow with T W / C.
 */
import type { GpuContext } from '../../gpu/context.js';
import { gpuContext } from '../../gpu/device.js';
import { dispatch, floatType, gpuEmpty } from '../../gpu/dispatch.js';
import type { Call, Implementation, Kernel } from '../../tensor/operator.js';
import { keep } from '../../tensor/scope.js';
import { tensor, type Tensor } from '../../tensor/tensor.js';
import { tapsOf, twiddles } from './fft.js';

const WHERE = 'long-convolution';
const FAMILY = 'families/long-convolution';

/** Tables of cosines and sines by their size; three exist. */
const tables = new WeakMap<GpuContext, Map<number, Tensor>>();

function tableOf(size: number): Tensor {
  const context = gpuContext(WHERE);
  const own = tables.get(context) ?? new Map<number, Tensor>();
  tables.set(context, own);
  let found = own.get(size);
  if (!found)
    own.set(size, (found = keep(tensor(twiddles(size), { shape: [size, 2], dtype: 'f32', device: 'gpu' }))));
  return found;
}

/** Tokens of a block by the tokens and taps of a call: larger blocks cost less over long sequences. */
function blockOf(T: number, W: number): number {
  const longest = Math.max(T, W);
  return longest <= 256 ? 64 : longest <= 4096 ? 256 : 1024;
}

/** How a call is cut. */
interface Plan {
  B: number;
  T: number;
  D: number;
  W: number;
  /** Tokens of a block. */
  block: number;
  /** Blocks of tokens, of past tokens and of taps that meet an input. */
  blocks: number;
  before: number;
  taps: number;
}

function planOf(call: Call): Plan {
  const { B, T, D, W } = call.dims;
  const block = blockOf(T, W);
  const before = call.in.initialState ? Math.ceil((W - 1) / block) : 0;
  return {
    B,
    T,
    D,
    W,
    block,
    blocks: Math.ceil(T / block),
    before,
    taps: Math.ceil(tapsOf(call) / block),
  };
}

const sizeOf = ({ block }: Plan) => ({ SIZE: `${2 * block}u` });

/** Spectra [rows, segments, D, block, 2] of stretches of a signal; places low to high of each count. */
function spectraOf(
  plan: Plan,
  source: { signal: Tensor; live?: boolean; past?: Tensor; rows: number; time: number },
  cut: { segments: number; first: number; lead: number; low: number; high: number },
): Tensor {
  const { D: d, W, block } = plan;
  const { signal, past, rows, time, live = true } = source;
  const spectra = gpuEmpty(WHERE, [rows, cut.segments, d, block, 2]);
  const count = rows * cut.segments * Math.ceil(d / 2);
  dispatch({
    where: WHERE,
    kernel: `${FAMILY}/spectra`,
    defs: { F: floatType(WHERE, signal), ...sizeOf(plan) },
    overrides: { PRESENT: live ? 1 : 0, PAST: past ? 1 : 0 },
    tensors: { signal, past, twiddles: tableOf(2 * block), spectra },
    params: { count, d, time, before: W - 1, points: 2 * block, ...cut },
    rows: count,
    work: spectra.size * 16,
  });
  return spectra;
}

const MODES = { outputs: 0, inputs: 1, filter: 2 } as const;

/** Sums of products of two sets of spectra: for outputs, for the gradient of the inputs, for that of the filter. */
function combine(
  plan: Plan,
  mode: keyof typeof MODES,
  tensors: { a: Tensor; b: Tensor },
  cut: { outs: number; shift: number },
): Tensor {
  const { B, D: d, block: bins } = plan;
  const [rows, windows] = tensors.a.shape;
  const fixed = tensors.b.shape[1];
  const made = mode === 'filter' ? 1 : B;
  const sums = gpuEmpty(WHERE, [made, cut.outs, d, bins, 2]);
  const count = made * Math.ceil(cut.outs / 4) * d * bins;
  dispatch({
    where: WHERE,
    kernel: `${FAMILY}/combine`,
    overrides: { MODE: MODES[mode] },
    tensors: { ...tensors, sums },
    params: { count, d, bins, windows, fixed, rows, ...cut },
    threads: count,
    work: sums.size * fixed * 4,
  });
  return sums;
}

/** Signals from spectra: blocks of a transform's second or first half. */
function signalOf(
  plan: Plan,
  spectra: Tensor,
  target: { signal: Tensor; past?: Tensor; dfinal?: Tensor; time: number },
  cut: { first: number; start: number },
): void {
  const { D: d, W, block } = plan;
  const [rows, blocks] = spectra.shape;
  const { signal, past, dfinal, time } = target;
  const count = rows * blocks * Math.ceil(d / 2);
  const spare = past ? undefined : gpuEmpty(WHERE, [1]);
  dispatch({
    where: WHERE,
    kernel: `${FAMILY}/inverse`,
    defs: { F: floatType(WHERE, signal), ...sizeOf(plan) },
    overrides: { PAST: past ? 1 : 0, SEEDED: dfinal ? 1 : 0 },
    tensors: { spectra, twiddles: tableOf(2 * block), dfinal, signal, past: past ?? spare },
    params: { count, blocks, d, time, before: W - 1, points: 2 * block, ...cut },
    rows: count,
    work: spectra.size * 16,
  });
  spare?.dispose();
}

function finalState(call: Call): Tensor {
  const { B, T: time, D: d, W } = call.dims;
  const { u, initialState: past } = call.in;
  const state = gpuEmpty(WHERE, [B, W - 1, d]);
  dispatch({
    where: WHERE,
    kernel: `${FAMILY}/final-state`,
    defs: { F: floatType(WHERE, u!) },
    overrides: { PAST: past ? 1 : 0 },
    tensors: { u, past, state },
    params: { count: state.size, d, time, before: W - 1 },
    threads: state.size,
  });
  return state;
}

/** Stretch g of the inputs holds blocks g - before - 1 and g - before: the second is the one whose outputs it makes. */
function inputSpectra(call: Call, plan: Plan): Tensor {
  const { B, T, block, blocks, before } = plan;
  return spectraOf(
    plan,
    { signal: call.in.u!, past: call.in.initialState, rows: B, time: T },
    { segments: blocks + before, first: before, lead: block, low: 0, high: 2 * block },
  );
}

function filterSpectra(call: Call, plan: Plan): Tensor {
  const { W, block, taps } = plan;
  return spectraOf(
    plan,
    { signal: call.in.filter!, rows: 1, time: W },
    { segments: taps, first: 0, lead: 0, low: 0, high: block },
  );
}

const forward: Kernel = (call) => {
  const plan = planOf(call);
  const { T, block, blocks, before } = plan;
  const y = gpuEmpty(WHERE, call.in.u!.shape, call.in.u!.dtype);
  const a = inputSpectra(call, plan);
  const b = filterSpectra(call, plan);
  const sums = combine(plan, 'outputs', { a, b }, { outs: blocks, shift: before });
  signalOf(plan, sums, { signal: y, time: T }, { first: 0, start: block });
  for (const t of [a, b, sums]) t.dispose();
  return { y, finalState: finalState(call) };
};

/** du_t = sum_s h_s dy_{t+s}, also for past inputs; with stretches of dy that begin with the block in question. */
function inputGradient(call: Call, plan: Plan, dy: Tensor | undefined): { u: Tensor; past?: Tensor } {
  const { B, T, block, blocks, before } = plan;
  const { u, initialState } = call.in;
  const signal = gpuEmpty(WHERE, u!.shape, u!.dtype);
  const past = initialState && gpuEmpty(WHERE, initialState.shape);
  // The stretch before the first block matters to past inputs only.
  const lead = before > 0 ? 1 : 0;
  const a = spectraOf(
    plan,
    { signal: dy ?? u!, live: dy !== undefined, rows: B, time: T },
    { segments: blocks + lead, first: lead, lead: 0, low: 0, high: 2 * block },
  );
  const b = filterSpectra(call, plan);
  const sums = combine(plan, 'inputs', { a, b }, { outs: blocks + before, shift: before - lead });
  const target = { signal, past, dfinal: call.grad.finalState, time: T };
  signalOf(plan, sums, target, { first: before, start: 0 });
  for (const t of [a, b, sums]) t.dispose();
  return { u: signal, past };
}

/** dh_s = sum_t dy_t u_{t-s}, over all sequences. */
function filterGradient(call: Call, plan: Plan, dy: Tensor | undefined): Tensor {
  const { B, T, W, block, blocks, before } = plan;
  const a = inputSpectra(call, plan);
  const b = spectraOf(
    plan,
    { signal: dy ?? call.in.u!, live: dy !== undefined, rows: B, time: T },
    { segments: blocks, first: 0, lead: block, low: block, high: 2 * block },
  );
  const signal = gpuEmpty(WHERE, call.in.filter!.shape);
  const sums = combine(plan, 'filter', { a, b }, { outs: Math.ceil(W / block), shift: before });
  signalOf(plan, sums, { signal, time: W }, { first: 0, start: 0 });
  for (const t of [a, b, sums]) t.dispose();
  return signal;
}

const backward: Kernel = (call) => {
  const plan = planOf(call);
  const { u, past } = inputGradient(call, plan, call.grad.y);
  return { u, initialState: past, filter: filterGradient(call, plan, call.grad.y) };
};

/** Blocks of tokens and taps by transforms in workgroup memory. */
export const chunkGpu: Implementation = { forward, backward };

/** One token as a direct sum over the cache; its gradients are those of the chunked form. */
export const stepGpu: Implementation = {
  forward: (call) => {
    const { B, D: d, W } = call.dims;
    const { u, initialState: past, filter } = call.in;
    const y = gpuEmpty(WHERE, u!.shape, u!.dtype);
    const blocks = Math.ceil(d / 16);
    dispatch({
      where: WHERE,
      kernel: `${FAMILY}/step`,
      defs: { F: floatType(WHERE, u!) },
      overrides: { PAST: past ? 1 : 0 },
      tensors: { u, past, taps: filter, y },
      params: { blocks, count: B * blocks, d, taps: W },
      rows: B * blocks,
      work: B * d * W * 2,
    });
    return { y, finalState: finalState(call) };
  },
  backward,
};
