/** Scalar decay on WASM SIMD: token by token or in chunks; both keep the state before every 64th token for one backward pass. */
import * as calls from '../../cpu/wasm/decay-calls.js';
import { allocate, type Call, type Implementation, type OptionalTensors } from '../../tensor/operator.js';
import { Tensor, zeros } from '../../tensor/tensor.js';
import { chunkCpu } from './chunk.js';

const WHERE = 'ops/scalar-decay';
const at = (t: Tensor | undefined) => t?.pointer(WHERE) ?? 0;

function dimsOf(call: Call): calls.DecayDims {
  const { B, T, G, H, K, V } = call.dims;
  const { cuSeqlens: cu, decay } = call.in;
  const scale = call.params.scale as number;
  return { B, T, G, H, K, V, scale, cu: at(cu), S: cu ? cu.size - 1 : B, fixed: decay?.rank === 1 };
}

function inputsOf(call: Call): calls.DecayInputs {
  const { q, k, v, decay } = call.in;
  return { q: at(q), k: at(k), v: at(v), decay: at(decay) };
}

function forward(call: Call, kernel: 'scalarDecayChunk' | 'scalarDecayRecurrent'): OptionalTensors {
  const { H, K, V } = call.dims;
  const dims = dimsOf(call);
  const y = allocate(call, call.in.v!.shape);
  const finalState = allocate(call, [dims.S!, H, K, V]);
  if (call.training) call.saved.kept = Tensor.empty([calls.decayKeptFloats(dims)], 'f32', 'host', WHERE);
  calls.scalarDecay(kernel, dims, {
    ...inputsOf(call),
    initial: at(call.in.initialState),
    y: at(y),
    final: at(finalState),
    kept: at(call.saved.kept),
  });
  return { y, finalState };
}

function backward(call: Call): OptionalTensors {
  const made: OptionalTensors = {};
  for (const [name, t] of Object.entries(call.in))
    if (t && t.dtype !== 'i32') made[name] = allocate(call, t.shape);
  const dy = call.grad.y ?? zeros(call.in.v!.shape, { device: 'host' });
  calls.scalarDecayBackward(dimsOf(call), {
    ...inputsOf(call),
    kept: at(call.saved.kept),
    dy: at(dy),
    dfinal: at(call.grad.finalState),
    dq: at(made.q),
    dk: at(made.k),
    dv: at(made.v),
    dg: at(made.decay),
    dinitial: at(made.initialState),
  });
  if (!call.grad.y) dy.dispose();
  return made;
}

/** From this many tokens on a state that hardly fades keeps more digits in chunks, which round its decay once in 64. */
const LONG = 256;

/** The form for sizes on the host: `chunk` on WASM for long sequences; what is short is faster token by token. */
export function preferredHostForm(backend: 'cpu' | 'wasm', dims: Call['dims']): 'chunk' | 'recurrent' {
  const time = dims.S ? (dims.B * dims.T) / dims.S : dims.T;
  return backend === 'wasm' && time >= LONG ? 'chunk' : 'recurrent';
}

/** Keys too long for a thread's scratch memory (above about 1,000) go to the TypeScript form. */
export function decayWasm(kernel: 'scalarDecayChunk' | 'scalarDecayRecurrent'): Implementation {
  const fits = (call: Call) => calls.decayWidth(call.dims as { K: number; V: number }) !== undefined;
  return {
    forward: (call) => (fits(call) ? forward(call, kernel) : chunkCpu.forward(call)),
    backward: (call) => (fits(call) ? backward(call) : chunkCpu.backward!(call)),
  };
}
