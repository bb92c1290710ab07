/** The selective scan on TypeScript in one pass over time, on WASM in every form. */
import * as calls from '../../cpu/wasm/calls.js';
import * as math from '../../core/math.js';
import { allocate, type Call, type Implementation, type Kernel } from '../../tensor/operator.js';
import { Tensor, zeros } from '../../tensor/tensor.js';
import { partsCpu } from './parts.js';
import { scanView, selectiveScanReference } from './reference.js';

/** One pass, time outermost, states of all channels in one small array. */
const recurrentForward: Kernel = (call) => {
  const { D, N } = call.dims;
  const s = scanView(call);
  const y = allocate(call, call.in.u!.shape);
  const finalState = allocate(call, [s.sequences.length, D, N]);
  const [to, last] = [y.floats('selective-scan'), finalState.floats('selective-scan')];
  const h = new Float64Array(D * N);
  for (const [row, first, length] of s.sequences) {
    if (s.initial) h.set(s.initial.subarray(row * D * N, (row + 1) * D * N));
    else h.fill(0);
    for (let p = first; p < first + length; p++)
      for (let d = 0; d < D; d++) {
        const at = p * D + d;
        const [step] = s.step(p, d);
        const drive = step * s.u[at];
        const [b, c] = [s.atB(p, d), s.atC(p, d)];
        let sum = s.D ? s.D[d] * s.u[at] : 0;
        for (let n = 0, i = d * N; n < N; n++, i++) {
          h[i] = math.exp(step * s.A[i]) * h[i] + drive * s.B[b + n];
          sum += s.C[c + n] * h[i];
        }
        to[at] = s.z ? sum * s.z[at] * math.sigmoid(s.z[at]) : sum;
      }
    last.set(h, row * D * N);
  }
  return { y, finalState };
};

/** The TypeScript recurrent form; its backward pass is the reference's, which keeps one channel's states at a time. */
export const recurrentCpu: Implementation = {
  forward: recurrentForward,
  backward: selectiveScanReference.backward,
};

const at = (t: Tensor | undefined) => t?.pointer('selective-scan') ?? 0;

function wasmDims(call: Call) {
  const { B, T, D, N } = call.dims;
  const cu = call.in.cuSeqlens;
  return {
    B,
    T,
    D,
    N,
    G: call.dims.G ?? 1,
    cu: at(cu),
    S: cu ? cu.size - 1 : B,
    invariantB: call.in.B!.rank === 2,
    invariantC: call.in.C!.rank === 2,
  };
}

function inputAddresses(call: Call) {
  const { u, delta, A, B, C, D, z, deltaBias, initialState } = call.in;
  return {
    u: at(u),
    delta: at(delta),
    A: at(A),
    B: at(B),
    C: at(C),
    D: at(D),
    z: at(z),
    bias: at(deltaBias),
    h0: at(initialState),
  };
}

/**
 * WASM SIMD over channels; keeps the state every few tokens for the backward pass. With `split` parts of time run at
 * once, else whole sequences. More states than the kernels' memory holds go to the TypeScript form.
 */
export function scanWasm(split?: calls.ScanSplit): Implementation {
  const kernels = kernelsOf(split);
  const slow = split ? partsCpu(split) : recurrentCpu;
  const of = (call: Call) => (call.dims.N > calls.SCAN_MAX_STATES ? slow : kernels);
  return { forward: (call) => of(call).forward(call), backward: (call) => of(call).backward!(call) };
}

const kernelsOf = (split?: calls.ScanSplit): Implementation => ({
  forward: (call) => {
    const dims = wasmDims(call);
    const y = allocate(call, call.in.u!.shape);
    const finalState = allocate(call, [dims.S, dims.D, dims.N]);
    if (call.training)
      call.saved.checkpoints = Tensor.empty(
        [calls.scanCheckpointFloats(dims)],
        'f32',
        'host',
        'selective-scan',
      );
    const outputs = { y: at(y), final: at(finalState), checkpoints: at(call.saved.checkpoints) };
    calls.selectiveScan(
      dims,
      { ...inputAddresses(call), ...outputs },
      { softplus: Boolean(call.params.softplus), split },
    );
    return { y, finalState };
  },
  backward: (call) => {
    const dy = call.grad.y ?? zeros(call.out.y.shape, { device: 'host' });
    const like = (name: string) => call.in[name] && allocate(call, call.in[name].shape);
    const { initialState, ...made } = {
      u: like('u'),
      delta: like('delta'),
      A: like('A'),
      B: like('B'),
      C: like('C'),
      D: like('D'),
      z: like('z'),
      deltaBias: like('deltaBias'),
      initialState: like('initialState'),
    };
    calls.selectiveScanBackward(
      wasmDims(call),
      {
        ...inputAddresses(call),
        checkpoints: at(call.saved.checkpoints),
        dy: at(dy),
        dfinal: at(call.grad.finalState),
        du: at(made.u),
        ddelta: at(made.delta),
        dA: at(made.A),
        dB: at(made.B),
        dC: at(made.C),
        dD: at(made.D),
        dz: at(made.z),
        dbias: at(made.deltaBias),
        dh0: at(initialState),
      },
      { softplus: Boolean(call.params.softplus), split },
    );
    if (!call.grad.y) dy.dispose();
    return { ...made, initialState };
  },
});
