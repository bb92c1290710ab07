/** The delta rule on WASM: token by token or by chunks forward, by chunks backward. */
import * as calls from '../../cpu/wasm/delta-calls.js';
import { allocate, type Call, type Implementation } from '../../tensor/operator.js';
import { Tensor } from '../../tensor/tensor.js';
import { chunkCpu } from './chunk.js';
import { recurrentCpu } from './recurrent.js';

const WHERE = 'ops/delta-rule';

const at = (t: Tensor | undefined) => t?.pointer(WHERE) ?? 0;

function dimsOf(call: Call): calls.DeltaDims {
  const { B, T, G, H, K, V } = call.dims;
  const cu = call.in.cuSeqlens;
  return { B, T, G, H, K, V, scale: call.params.scale as number, cu: at(cu), S: cu ? cu.size - 1 : B };
}

function kernels(form: 'recurrent' | 'chunk'): Implementation {
  return {
    forward: (call) => {
      const dims = dimsOf(call);
      const { q, k, v, beta, decay, initialState } = call.in;
      const y = allocate(call, v!.shape);
      const finalState = allocate(call, [dims.S!, dims.H, dims.K, dims.V]);
      if (call.training) {
        const { states, errors } = calls.deltaKeptFloats(dims);
        call.saved.states = Tensor.empty([states], 'f32', 'host', WHERE);
        call.saved.errors = Tensor.empty([errors], 'f32', 'host', WHERE);
      }
      calls.deltaRule(form, dims, {
        q: at(q),
        k: at(k),
        v: at(v),
        beta: at(beta),
        decay: at(decay),
        initial: at(initialState),
        y: at(y),
        final: at(finalState),
        states: at(call.saved.states),
        errors: at(call.saved.errors),
      });
      return { y, finalState };
    },
    backward: (call) => {
      const like = (name: string) => call.in[name] && allocate(call, call.in[name].shape);
      const made = {
        q: like('q'),
        k: like('k'),
        v: like('v'),
        beta: like('beta'),
        decay: like('decay'),
        initialState: like('initialState'),
      };
      calls.deltaRuleBackward(dimsOf(call), {
        q: at(call.in.q),
        k: at(call.in.k),
        beta: at(call.in.beta),
        decay: at(call.in.decay),
        states: at(call.saved.states),
        errors: at(call.saved.errors),
        dy: at(call.grad.y),
        dFinal: at(call.grad.finalState),
        dq: at(made.q),
        dk: at(made.k),
        dv: at(made.v),
        dBeta: at(made.beta),
        dDecay: at(made.decay),
        dInitial: at(made.initialState),
      });
      return made;
    },
  };
}

/** Form `recurrent` or `chunk` on WASM; wider heads than the kernels' memory holds go to the TypeScript form. */
export function deltaRuleWasm(form: 'recurrent' | 'chunk'): Implementation {
  const fast = kernels(form);
  const slow = form === 'chunk' ? chunkCpu : recurrentCpu;
  const of = ({ dims }: Call) => (Math.max(dims.K, dims.V) > calls.DELTA_WIDEST ? slow : fast);
  return { forward: (call) => of(call).forward(call), backward: (call) => of(call).backward!(call) };
}
