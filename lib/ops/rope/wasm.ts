/** Rotary position embedding on WASM; the tables come from the reference's own polynomials. */
import { parallelFor } from '../../cpu/wasm/threads.js';
import { allocate, type Call, type Implementation } from '../../tensor/operator.js';
import { keep } from '../../tensor/scope.js';
import { tensor, type Tensor } from '../../tensor/tensor.js';
import { rotaryTables } from './reference.js';

interface Tables {
  cos: Tensor;
  sin: Tensor;
}

// One model uses few distinct tables; the oldest goes when a new one comes.
const cache = new Map<string, Tables>();
const CACHED = 16;

function tables(call: Call): Tables {
  const key = [call.dims.T, call.dims.K, call.params.base, call.params.offset].join();
  const found = cache.get(key);
  if (found) return found;
  const { cos, sin } = rotaryTables(call);
  const shape = [call.dims.T, call.dims.K / 2];
  const make = (v: Float64Array) => keep(tensor(v, { shape, dtype: 'f32', device: 'host' }));
  const made = { cos: make(cos), sin: make(sin) };
  cache.set(key, made);
  if (cache.size > CACHED) {
    const [oldest, old] = [...cache][0];
    cache.delete(oldest);
    old.cos.dispose();
    old.sin.dispose();
  }
  return made;
}

function rotate(call: Call, x: Tensor, sign: number): Tensor {
  const { B, T, H, K } = call.dims;
  const { cos, sin } = tables(call);
  const y = allocate(call, x.shape);
  const at = (t: Tensor) => t.pointer('ops/rope');
  parallelFor('rope', B * T, 64, at(x), at(y), at(cos), at(sin), 0, T, 0, H, K, K, 0, sign);
  return y;
}

export const ropeWasm: Implementation = {
  forward: (call) => ({ y: rotate(call, call.in.x!, 1) }),
  backward: (call) => ({ x: rotate(call, call.grad.y!, -1) }),
};
