/** WASM SIMD forms: blocks of 16 tokens on matrix products, and token by token. */
import * as calls from '../../cpu/wasm/diagonal-decay-calls.js';
import { allocate, type Call, type Implementation, type OptionalTensors } from '../../tensor/operator.js';
import { Tensor, zeros } from '../../tensor/tensor.js';
import { stateRows } from '../sequence/index.js';
import { recurrentCpu } from './forms.js';

const at = (t: Tensor | undefined) => t?.pointer('ops/diagonal-decay') ?? 0;

function dimsOf(call: Call): calls.DiagonalDecayDims {
  const { B, T, H, K, V } = call.dims;
  return {
    B,
    T,
    H,
    K,
    V,
    S: stateRows(call),
    cu: at(call.in.cuSeqlens),
    varies: call.in.decay!.rank === 4,
    scale: call.params.scale as number,
  };
}

function inputsOf(call: Call): calls.DiagonalDecayInputs {
  const { q, k, v, decay, bonus } = call.in;
  return { q: at(q), k: at(k), v: at(v), decay: at(decay), bonus: at(bonus) };
}

/** Kept for the backward pass: states, and scores of pairs in the form in blocks. At least one element each. */
function keep(call: Call, dims: calls.DiagonalDecayDims, blocked: boolean): void {
  if (!call.training) return;
  const floats = (count: number) => Tensor.empty([Math.max(1, count)], 'f32', 'host', call.op.id);
  call.saved.kept = floats(calls.diagonalDecayKeptFloats(dims));
  if (blocked) call.saved.scores = floats(calls.diagonalDecayScoreFloats(dims));
}

const kernels = (blocked: boolean): Implementation => ({
  forward: (call) => {
    const dims = dimsOf(call);
    const y = allocate(call, call.in.v!.shape);
    const finalState = allocate(call, [dims.S, dims.H, dims.K, dims.V]);
    keep(call, dims, blocked);
    const outputs = { y: at(y), final: at(finalState) };
    const saved = { kept: at(call.saved.kept), scores: at(call.saved.scores) };
    calls.diagonalDecay(
      dims,
      { ...inputsOf(call), h0: at(call.in.initialState), ...outputs, ...saved },
      blocked,
    );
    return { y, finalState };
  },
  backward: (call) => {
    const { q, k, v, decay, bonus, initialState } = call.in as OptionalTensors & Record<string, Tensor>;
    const dims = dimsOf(call);
    const dy = call.grad.y ?? zeros(call.out.y.shape, { device: 'host' });
    const like = (t: Tensor) => allocate(call, t.shape);
    const made: OptionalTensors = { q: like(q), k: like(k), v: like(v), decay: like(decay) };
    if (bonus) made.bonus = like(bonus);
    const adjoint = allocate(call, call.out.finalState.shape);
    calls.diagonalDecayBackward(dims, {
      ...inputsOf(call),
      kept: at(call.saved.kept),
      scores: at(call.saved.scores),
      dy: at(dy),
      dfinal: at(call.grad.finalState),
      dq: at(made.q),
      dk: at(made.k),
      dv: at(made.v),
      ddecay: at(made.decay),
      dbonus: at(made.bonus),
      dh0: at(adjoint),
    });
    if (!call.grad.y) dy.dispose();
    if (initialState) made.initialState = adjoint;
    else adjoint.dispose();
    return made;
  },
});

/** Fewer tokens a sequence than this are faster one by one. */
const LONG = 8;

/** The form for sizes: `chunk` on WASM from 8 tokens a sequence on, else `recurrent`. */
export function preferredHostForm(backend: 'cpu' | 'wasm', dims: Call['dims']): 'chunk' | 'recurrent' {
  const time = dims.S ? dims.T / Math.max(1, dims.S) : dims.T;
  return backend === 'wasm' && time >= LONG ? 'chunk' : 'recurrent';
}

/** Sizes beyond the kernels' scratch memory go to the slower form, which has the same results. */
const otherwise = (
  fits: (call: Call) => boolean,
  fast: Implementation,
  slow: Implementation,
): Implementation => {
  const of = (call: Call) => (fits(call) ? fast : slow);
  return { forward: (call) => of(call).forward(call), backward: (call) => of(call).backward!(call) };
};

type Sizes = { K: number; V: number };

export const recurrentWasm = otherwise(
  (call) => calls.diagonalDecayRecurrentFits(call.dims as Sizes),
  kernels(false),
  recurrentCpu,
);

export const chunkWasm = otherwise(
  (call) => calls.diagonalDecayFits(call.dims as Sizes),
  kernels(true),
  recurrentWasm,
);
