/** Rotary embedding on the GPU; angles come as a table made in f64 on the host. */
import { cos, pow, sin } from '../../core/math.js';
import type { GpuContext } from '../../gpu/context.js';
import { gpuContext } from '../../gpu/device.js';
import { dispatch, floatType } from '../../gpu/dispatch.js';
import { allocate, type Call, type Implementation } from '../../tensor/operator.js';
import { keep } from '../../tensor/scope.js';
import { tensor, type Tensor } from '../../tensor/tensor.js';

/** Tables in use, latest last; every layer of a model asks for the same one. */
const tables = new WeakMap<GpuContext, Map<string, Tensor>>();
const MOST_TABLES = 8;

/** [T, K/2, 2]: cosine and sine of (t + offset) base^(-2i/K). The cache owns it. */
function angles(call: Call): Tensor {
  const { T, K } = call.dims;
  const { base, offset } = call.params as Record<string, number>;
  const context = gpuContext(call.op.id);
  const own = tables.get(context) ?? new Map<string, Tensor>();
  tables.set(context, own);
  const key = `${T} ${K} ${base} ${offset}`;
  const known = own.get(key);
  if (known) return known;
  const made = keep(makeTable(T, K, base, offset));
  own.set(key, made);
  if (own.size > MOST_TABLES) {
    const [oldest, t] = own.entries().next().value as [string, Tensor];
    t.dispose();
    own.delete(oldest);
  }
  return made;
}

function makeTable(T: number, K: number, base: number, offset: number): Tensor {
  const table = new Float32Array(T * K);
  for (let i = 0; i < K / 2; i++) {
    const frequency = pow(base, (-2 * i) / K);
    for (let t = 0; t < T; t++) {
      const angle = (t + offset) * frequency;
      table[t * K + 2 * i] = cos(angle);
      table[t * K + 2 * i + 1] = sin(angle);
    }
  }
  return tensor(table, { shape: [T, K / 2, 2], device: 'gpu' });
}

function rotate(call: Call, x: Tensor, direction: number): Tensor {
  const { T: time, H: heads, K } = call.dims;
  const y = allocate(call, x.shape);
  const table = angles(call);
  const params = { count: x.size / 2, time, heads, pairs: K / 2 };
  dispatch({
    where: call.op.id,
    kernel: 'ops/rope/rotate',
    defs: { F: floatType(call.op.id, x) },
    overrides: { DIRECTION: direction },
    tensors: { x, angles: table, y },
    params,
    threads: x.size / 2,
    work: x.size * 4,
  });
  return y;
}

export const ropeGpu: Implementation = {
  forward: (call) => ({ y: rotate(call, call.in.x!, 1) }),
  backward: (call) => ({ x: rotate(call, call.grad.y!, -1) }),
};
