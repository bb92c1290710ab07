/** GPU forms: chunks of 64 tokens in parallel over time, forward and backward; token by token forward. */
import { DeviceError } from '../../core/errors.js';
import { stridesOf } from '../../core/shape.js';
import { dispatch, floatType, gpuEmpty } from '../../gpu/dispatch.js';
import { allocate, type Call, type Implementation, type OptionalTensors } from '../../tensor/operator.js';
import { zeros, type Tensor } from '../../tensor/tensor.js';
import { slotsOf } from '../sequence/gpu.js';
import { stateRows } from '../sequence/index.js';
import { stridedGpu } from '../structure/gpu.js';
import { CHUNK, mixed, overridesOf, partsOf, WHERE, type Parts } from './gpu-common.js';
import { gradients } from './gpu-gradient.js';

/** Most lanes of K of the recurrent form. */
const WIDEST = 512;
/** Fewer tokens than this are not worth chunks. */
const LONG = 32;

/** The form for sizes: `chunk` from 32 tokens a sequence on, and for keys too wide for `recurrent`. */
export function preferredGpuForm(dims: Call['dims']): 'chunk' | 'recurrent' {
  const time = dims.S ? dims.T / Math.max(1, dims.S) : dims.T;
  return time >= LONG || dims.K > WIDEST ? 'chunk' : 'recurrent';
}

export const chunkGpu: Implementation = {
  forward: (call) => {
    const slots = slotsOf(call, CHUNK);
    const { parts, last } = partsOf(call, slots);
    const y = mixed(call, slots, parts, call.in.v!, parts.states, false);
    slots.dispose();
    if (call.training) Object.assign(call.saved, parts);
    else for (const t of Object.values(parts) as Tensor[]) t.dispose();
    return { y, finalState: last };
  },
  backward: (call) => gradientsOf(call, call.saved as unknown as Parts),
};

function gradientsOf(call: Call, parts: Parts, slots = slotsOf(call, CHUNK)): OptionalTensors {
  const { v } = call.in;
  const dy = call.grad.y ?? zeros(v!.shape, { device: 'gpu', dtype: v!.dtype });
  const made = gradients(call, slots, parts, dy);
  slots.dispose();
  if (!call.grad.y) dy.dispose();
  return made;
}

/** Token by token; the backward pass is that of the form chunk, which makes its states again. */
export const recurrentGpu: Implementation = {
  forward: (call) => {
    const { q, k, v, decay, bonus, initialState, cuSeqlens: cu } = call.in;
    const { B, T, H, K, V } = call.dims;
    if (K > WIDEST)
      throw new DeviceError(
        `${WHERE}: K must be <= ${WIDEST} in form recurrent on the GPU, got ${K}; use chunk`,
      );
    const sequences = stateRows(call);
    const shape = [sequences, H, K, V];
    const y = allocate(call, v!.shape, v!.dtype);
    const state = initialState
      ? stridedGpu(WHERE, initialState, shape, stridesOf(shape))
      : gpuEmpty(WHERE, shape);
    const tiles = Math.ceil(V / 16);
    const rows = sequences * H * tiles;
    dispatch({
      where: WHERE,
      kernel: 'ops/diagonal-decay/recurrent',
      defs: { F: floatType(WHERE, q!), LANES: `${[4, 8, 32].find((n) => n * 16 >= K)}u` },
      overrides: { ...overridesOf(call), SEEDED: initialState ? 1 : 0 },
      tensors: { q, k, v, decay, bonus, cu, y, state },
      params: {
        rows,
        tiles,
        heads: H,
        k: K,
        v: V,
        time: T,
        packed: cu ? 1 : 0,
        scale: call.params.scale as number,
      },
      rows,
      work: 8 * B * T * H * K * V,
    });
    return { y, finalState: state };
  },
  backward: (call) => {
    const slots = slotsOf(call, CHUNK);
    const { parts, last } = partsOf(call, slots);
    last.dispose();
    const made = gradientsOf(call, parts, slots);
    for (const t of Object.values(parts) as Tensor[]) t.dispose();
    return made;
  },
};
