/** Maps on the GPU: one kernel an arity, the function chosen by an override constant. */
import { dispatch, bitsType, floatType } from '../../gpu/dispatch.js';
import { allocate, type Call, type Implementation, type Kernel } from '../../tensor/operator.js';
import type { Tensor } from '../../tensor/tensor.js';

/** Numbers of the functions in kernels-wgsl/ops/map/unary.wgsl. */
const UNARY_CODES = [
  'neg',
  'exp',
  'log',
  'sqrt',
  'rsqrt',
  'abs',
  'square',
  'sigmoid',
  'tanh',
  'relu',
  'silu',
  'gelu',
  'softplus',
  'affine',
  'power',
  'clamp',
];
const BINARY_CODES = ['add', 'sub', 'mul', 'div', 'maximum', 'minimum', 'pow'];
const RELATION_CODES = ['lt', 'le', 'gt', 'ge', 'eq', 'ne'];

type Constants = (call: Call) => { p: number; q: number };

function unaryKernel(name: string, constants: Constants): Implementation {
  const overrides = { OP: UNARY_CODES.indexOf(name) };
  const common = (call: Call, x: Tensor) => ({
    where: call.op.id,
    defs: { F: floatType(call.op.id, x) },
    overrides,
    params: { count: x.size, ...constants(call) },
    threads: x.size,
    work: x.size * 8,
  });
  return {
    forward: (call) => {
      const x = call.in.x!;
      const y = allocate(call, x.shape);
      dispatch({ ...common(call, x), kernel: 'ops/map/unary', tensors: { x, y } });
      return { y };
    },
    backward: (call) => {
      const x = call.in.x!;
      const dx = allocate(call, x.shape);
      const tensors = { x, y: call.out.y, dy: call.grad.y, dx };
      dispatch({ ...common(call, x), kernel: 'ops/map/unary-backward', tensors });
      return { x: dx };
    },
  };
}

/** exp, silu and the other functions of one tensor, by name. */
export function unaryGpu(name: string): Implementation {
  return unaryKernel(name, () => ({ p: 0, q: 0 }));
}

const number = (call: Call, name: string) => call.params[name] as number;
export const affineGpu = unaryKernel('affine', (call) => ({
  p: number(call, 'scale'),
  q: number(call, 'shift'),
}));
export const powerGpu = unaryKernel('power', (call) => ({ p: number(call, 'exponent'), q: 0 }));
export const clampGpu = unaryKernel('clamp', (call) => ({
  p: number(call, 'minimum'),
  q: number(call, 'maximum'),
}));

/** add, mul and the other functions of two tensors of one shape, by name. */
export function binaryGpu(name: string): Implementation {
  const overrides = { OP: BINARY_CODES.indexOf(name) };
  const forward: Kernel = (call) => {
    const { a, b } = call.in;
    const y = allocate(call, a!.shape);
    const defs = { F: floatType(call.op.id, a!) };
    dispatch({
      where: call.op.id,
      kernel: 'ops/map/binary',
      defs,
      overrides,
      tensors: { a, b, y },
      params: { count: y.size },
      threads: y.size,
      work: y.size * 4,
    });
    return { y };
  };
  if (name === 'add' || name === 'sub')
    return { forward, backward: (call) => linearBackward(call, name === 'sub') };
  return {
    forward,
    backward: (call) => {
      const { a, b } = call.in;
      const da = allocate(call, a!.shape);
      const db = allocate(call, a!.shape);
      const defs = { F: floatType(call.op.id, a!) };
      const tensors = { a, b, dy: call.grad.y, da, db };
      dispatch({
        where: call.op.id,
        kernel: 'ops/map/binary-backward',
        defs,
        overrides,
        tensors,
        params: { count: da.size },
        threads: da.size,
        work: da.size * 8,
      });
      return { a: da, b: db };
    },
  };
}

/** The gradient passes through; the second one is negated for sub. */
function linearBackward(call: Call, negate: boolean): { a: Tensor | undefined; b: Tensor | undefined } {
  const dy = call.grad.y!;
  const a = call.needs('a') ? dy.view() : undefined;
  if (!call.needs('b')) return { a, b: undefined };
  if (!negate) return { a, b: dy.view() };
  const b = allocate(call, dy.shape);
  const params = { count: dy.size, p: 0, q: 0 };
  dispatch({
    where: call.op.id,
    kernel: 'ops/map/unary',
    defs: { F: floatType(call.op.id, dy) },
    overrides: { OP: 0 },
    tensors: { x: dy, y: b },
    params,
    threads: dy.size,
  });
  return { a, b };
}

export const compareGpu: Implementation = {
  forward: (call) => {
    const { a, b } = call.in;
    const y = allocate(call, a!.shape);
    const overrides = { OP: RELATION_CODES.indexOf(call.params.relation as string) };
    dispatch({
      where: call.op.id,
      kernel: 'ops/map/compare',
      defs: { T: a!.dtype },
      overrides,
      tensors: { a, b, y },
      params: { count: y.size },
      threads: y.size,
    });
    return { y };
  },
};

export const whereGpu: Implementation = {
  forward: (call) => {
    const { condition, a, b } = call.in;
    const y = allocate(call, a!.shape, a!.dtype);
    const defs = { T: bitsType(a!.dtype), M: condition!.dtype };
    dispatch({
      where: call.op.id,
      kernel: 'ops/map/where',
      defs,
      tensors: { condition, a, b, y },
      params: { count: y.size },
      threads: y.size,
    });
    return { y };
  },
};
