/** Element-wise functions on WASM SIMD. */
import type { KernelName } from '../../cpu/wasm/module.js';
import { parallelFor } from '../../cpu/wasm/threads.js';
import { allocate, type Call, type Implementation } from '../../tensor/operator.js';
import type { Tensor } from '../../tensor/tensor.js';

/** Fewest elements worth a thread: cheap maps are bound by memory, the others by exp. */
const GRAIN = 32768;
const NAMES: Record<string, string> = { gelu: 'geluTanh', maximum: 'max', minimum: 'min' };
const kernelName = (name: string) => (NAMES[name] ?? name) as KernelName;

function run(kernel: KernelName, call: Call, ...tensors: Tensor[]): Tensor {
  const y = allocate(call, tensors[0].shape);
  parallelFor(kernel, y.size, GRAIN, ...tensors.map((t) => t.pointer(call.op.id)), y.pointer(call.op.id));
  return y;
}

/** y = f(x) and dx = f'(x, y) dy. */
export function unaryWasm(name: string): Implementation {
  const kernel = kernelName(name);
  return {
    forward: (call) => ({ y: run(kernel, call, call.in.x!) }),
    backward: (call) => ({
      x: run(`${kernel}Backward` as KernelName, call, call.in.x!, call.out.y, call.grad.y!),
    }),
  };
}

/** y = f(a, b); pow stays with the TypeScript kernel. */
export function binaryWasm(name: string): Implementation | undefined {
  const forward = (call: Call) => ({ y: run(kernelName(name), call, call.in.a!, call.in.b!) });
  const dy = (call: Call) => call.grad.y!;
  switch (name) {
    case 'add':
      return { forward, backward: (call) => ({ a: dy(call), b: dy(call) }) };
    case 'sub':
      return {
        forward,
        backward: (call) => ({ a: dy(call), b: call.needs('b') ? run('neg', call, dy(call)) : undefined }),
      };
    case 'mul':
      return {
        forward,
        backward: (call) => ({
          a: call.needs('a') ? run('mul', call, dy(call), call.in.b!) : undefined,
          b: call.needs('b') ? run('mul', call, dy(call), call.in.a!) : undefined,
        }),
      };
    default:
      return undefined;
  }
}

/** y = scale x + shift. */
export const affineWasm: Implementation = {
  forward: (call) => {
    const { scale, shift } = call.params as Record<string, number>;
    const x = call.in.x!;
    const y = allocate(call, x.shape);
    parallelFor('mulScalar', y.size, GRAIN, x.pointer('ops/affine'), scale, y.pointer('ops/affine'));
    if (shift !== 0)
      parallelFor('addScalar', y.size, GRAIN, y.pointer('ops/affine'), shift, y.pointer('ops/affine'));
    return { y };
  },
};
