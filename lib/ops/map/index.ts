/** Maps: element-wise functions of one or two tensors, with NumPy broadcasting in the public functions. */
import { ArgumentError, DtypeError, ShapeError, show } from '../../core/errors.js';
import { broadcastShapes, sameShape, sizeOf, type Dims } from '../../core/shape.js';
import { defineOperator, type Call, type Operator, type OperatorCase } from '../../tensor/operator.js';
import { setAccumulate } from '../../tensor/tape.js';
import { full, isTensor, requireTensor, type Tensor } from '../../tensor/tensor.js';
import { broadcastTo } from '../structure/index.js';
import { affineGpu, binaryGpu, clampGpu, compareGpu, powerGpu, unaryGpu, whereGpu } from './gpu.js';
import * as reference from './reference.js';
import { BINARY, RELATIONS, UNARY } from './table.js';
import { affineWasm, binaryWasm, unaryWasm } from './wasm.js';

const elements = (d: Dims) => Object.values(d).reduce((p, n) => p * n, 1);
const cost = { flops: elements, bytes: (d: Dims) => 8 * elements(d), sources: ['definition'] };
const x = { name: 'x', shape: '*', half: true, doc: 'any shape' } as const;
const y = { name: 'y', shape: '*', doc: 'shape of the input' } as const;
const a = { name: 'a', shape: '*', half: true, doc: 'any shape' } as const;
const b = { name: 'b', shape: '*', half: true, doc: 'shape of a' } as const;
const CASES: OperatorCase[] = [
  { name: 'one', dims: { M: 1 } },
  { name: 'tail', dims: { M: 3, N: 37 } },
];

function sameShapes(call: Call): void {
  const [first, ...rest] = Object.values(call.in) as Tensor[];
  for (const t of rest)
    if (!sameShape(t.shape, first.shape))
      throw new ShapeError(
        `${call.op.id}: inputs must have equal shapes, got ${show([...first.shape])} and ${show([...t.shape])}`,
      );
}

function defineUnary(name: string): Operator {
  const row = UNARY[name];
  const [low, high] = row.range;
  return defineOperator({
    id: `ops/${name}`,
    summary: `element-wise ${row.equation}`,
    equation: `y = ${row.equation}`,
    inputs: [x],
    outputs: [y],
    parameters: {},
    forms: {
      reference: { cpu: reference.unary(row) },
      parallel: { wasm: unaryWasm(name), webgpu: unaryGpu(name) },
    },
    ...cost,
    cases: CASES,
    sample: (_, shape, uniform) =>
      Float64Array.from({ length: sizeOf(shape) }, () => low + (high - low) * uniform()),
  });
}

const one = (op: Operator) => (t: Tensor) => op({ x: t }).y;

/** -x. */
export const neg = one(defineUnary('neg'));
/** e^x. */
export const exp = one(defineUnary('exp'));
/** Natural logarithm; NaN below 0. */
export const log = one(defineUnary('log'));
export const sqrt = one(defineUnary('sqrt'));
/** 1/sqrt(x). */
export const rsqrt = one(defineUnary('rsqrt'));
export const abs = one(defineUnary('abs'));
export const square = one(defineUnary('square'));
/** 1/(1+e^-x). */
export const sigmoid = one(defineUnary('sigmoid'));
export const tanh = one(defineUnary('tanh'));
export const relu = one(defineUnary('relu'));
/** x sigmoid(x), also called swish. */
export const silu = one(defineUnary('silu'));
/** GELU in its tanh form (Hendrycks and Gimpel, arXiv 1606.08415). */
export const gelu = one(defineUnary('gelu'));
/** log(1+e^x), stable on both sides; the identity above 20. */
export const softplus = one(defineUnary('softplus'));

function defineBinary(name: string): Operator {
  const row = BINARY[name];
  const wasm = binaryWasm(name);
  return defineOperator({
    id: `ops/${name}`,
    summary: `element-wise ${row.equation}`,
    equation: `y = ${row.equation}`,
    inputs: [a, b],
    outputs: [y],
    parameters: {},
    check: sameShapes,
    forms: {
      reference: { cpu: reference.binary(row) },
      parallel: { webgpu: binaryGpu(name), ...(wasm && { wasm }) },
    },
    ...cost,
    cases: CASES,
    sample: row.positive
      ? (_, shape, uniform) => Float64Array.from({ length: sizeOf(shape) }, () => 0.5 + 2 * uniform())
      : undefined,
  });
}

const addOp = defineBinary('add');
setAccumulate((left, right) => addOp({ a: left, b: right }).y);

/** Broadcasts both sides to their common shape. */
function pair(where: string, left: Tensor, right: Tensor): { a: Tensor; b: Tensor } {
  if (sameShape(left.shape, right.shape)) return { a: left, b: right };
  const shape = broadcastShapes(where, left.shape, right.shape);
  const fit = (t: Tensor) => (sameShape(t.shape, shape) ? t : broadcastTo(t, shape));
  return { a: fit(left), b: fit(right) };
}

function two(name: string, op: Operator): (left: Tensor, right: Tensor | number) => Tensor {
  return (left, right) => {
    if (!isTensor(left)) throw new ArgumentError(`${name}: a must be a tensor, got ${show(left)}`);
    if (typeof right === 'number') {
      const scalar = SCALAR[name]?.(left, right);
      if (scalar) return scalar;
    }
    const other =
      typeof right === 'number' ? full([], right, { dtype: left.dtype, device: left.device }) : right;
    if (!isTensor(other))
      throw new ArgumentError(`${name}: b must be a tensor or a number, got ${show(right)}`);
    return op(pair(name, left, other)).y;
  };
}

const SCALAR: Record<string, (t: Tensor, v: number) => Tensor> = {
  add: (t, v) => affine(t, 1, v),
  sub: (t, v) => affine(t, 1, -v),
  mul: (t, v) => affine(t, v, 0),
  div: (t, v) => affine(t, 1 / v, 0),
  pow: (t, v) => power(t, v),
};

/** a + b with broadcasting. */
export const add = two('add', addOp);
export const sub = two('sub', defineBinary('sub'));
export const mul = two('mul', defineBinary('mul'));
export const div = two('div', defineBinary('div'));
/** Element-wise larger one; a wins ties, and the gradient follows the winner. */
export const maximum = two('maximum', defineBinary('maximum'));
export const minimum = two('minimum', defineBinary('minimum'));
/** a^b; gradients for a > 0. */
export const pow = two('pow', defineBinary('pow'));

const affineOp = defineOperator({
  id: 'ops/affine',
  summary: 'scale and shift by numbers',
  equation: 'y = scale x + shift',
  inputs: [x],
  outputs: [y],
  parameters: {
    scale: { type: 'number', default: 1, doc: 'factor' },
    shift: { type: 'number', default: 0, doc: 'summand' },
  },
  forms: { reference: { cpu: reference.affine }, parallel: { wasm: affineWasm, webgpu: affineGpu } },
  gradient: (call) => ({ x: affine(call.grad.y!, call.params.scale as number, 0) }),
  ...cost,
  cases: CASES.map((c) => ({ ...c, params: { scale: -1.5, shift: 0.25 } })),
});

/** scale x + shift with two numbers. */
export function affine(t: Tensor, scale: number, shift: number): Tensor {
  return affineOp({ x: t }, { scale, shift }).y;
}

const powerOp = defineOperator({
  id: 'ops/power',
  summary: 'power with a number as exponent',
  equation: 'y = x^exponent',
  inputs: [x],
  outputs: [y],
  parameters: { exponent: { type: 'number', default: 2, doc: 'exponent' } },
  forms: { reference: { cpu: reference.power }, parallel: { webgpu: powerGpu } },
  ...cost,
  cases: CASES.map((c) => ({ ...c, params: { exponent: 1.5 } })),
  sample: (_, shape, uniform) => Float64Array.from({ length: sizeOf(shape) }, () => 0.5 + 2 * uniform()),
});

/** x^exponent; x must be positive unless the exponent is an integer (NaN otherwise). */
export function power(t: Tensor, exponent: number): Tensor {
  return powerOp({ x: t }, { exponent }).y;
}

const clampOp = defineOperator({
  id: 'ops/clamp',
  summary: 'limits values to a range',
  equation: 'y = min(max(x, minimum), maximum)',
  inputs: [x],
  outputs: [y],
  parameters: {
    minimum: { type: 'number', default: -3e38, doc: 'lower limit' },
    maximum: { type: 'number', default: 3e38, doc: 'upper limit' },
  },
  forms: { reference: { cpu: reference.clamp }, parallel: { webgpu: clampGpu } },
  ...cost,
  cases: CASES.map((c) => ({ ...c, params: { minimum: -0.7, maximum: 0.4 } })),
});

/** Limits values to [minimum, maximum]; no gradient outside; NaN passes through. */
export function clamp(t: Tensor, minimum: number, maximum: number): Tensor {
  if (!(minimum <= maximum))
    throw new ArgumentError(`clamp: minimum must be <= maximum, got ${minimum} and ${maximum}`);
  return clampOp({ x: t }, { minimum, maximum }).y;
}

const compareOp = defineOperator({
  id: 'ops/compare',
  summary: 'comparison as 0 or 1 in the dtype of the inputs',
  equation: 'y = [a relation b]',
  inputs: [
    { ...a, dtypes: ['f32', 'f64', 'i32', 'u32'], differentiable: false },
    { ...b, dtypes: ['f32', 'f64', 'i32', 'u32'], differentiable: false },
  ],
  outputs: [{ ...y, differentiable: false }],
  parameters: {
    relation: { type: 'string', default: 'lt', oneOf: Object.keys(RELATIONS), doc: 'comparison' },
  },
  check: (call) => {
    sameShapes(call);
    const { a: left, b: right } = call.in as Record<string, Tensor>;
    if (left.dtype !== right.dtype)
      throw new DtypeError(`ops/compare: b must be ${left.dtype} like a, got ${right.dtype}; cast one`);
  },
  forms: { reference: { cpu: { forward: reference.compare } }, parallel: { webgpu: compareGpu } },
  ...cost,
  cases: Object.keys(RELATIONS).map((relation) => ({
    name: relation,
    dims: { M: 3, N: 7 },
    params: { relation },
  })),
  sample: (_, shape, uniform) =>
    Float64Array.from({ length: sizeOf(shape) }, () => Math.floor(uniform() * 3)),
});

/** 1 where `a relation b` holds, else 0; relation is lt, le, gt, ge, eq or ne. */
export function compare(
  left: Tensor,
  relation: 'lt' | 'le' | 'gt' | 'ge' | 'eq' | 'ne',
  right: Tensor,
): Tensor {
  requireTensor('compare', 'a', left);
  requireTensor('compare', 'b', right);
  return compareOp(pair('compare', left, right), { relation }).y;
}

const whereOp = defineOperator({
  id: 'ops/where',
  summary: 'chooses between two tensors',
  equation: 'y = condition ? a : b',
  inputs: [
    {
      name: 'condition',
      shape: '*',
      dtypes: ['f32', 'f64', 'i32', 'u32'],
      differentiable: false,
      doc: 'not 0 chooses a',
    },
    a,
    b,
  ],
  outputs: [y],
  parameters: {},
  check: sameShapes,
  forms: { reference: { cpu: { forward: reference.where } }, parallel: { webgpu: whereGpu } },
  gradient: (call) => {
    const dy = call.grad.y!;
    const zero = full(dy.shape, 0, { dtype: dy.dtype, device: dy.device });
    const condition = call.in.condition!;
    return {
      a: call.needs('a') ? where(condition, dy, zero) : undefined,
      b: call.needs('b') ? where(condition, zero, dy) : undefined,
    };
  },
  ...cost,
  cases: CASES,
  sample: (input, shape, uniform) =>
    input === 'condition'
      ? Float64Array.from({ length: sizeOf(shape) }, () => Math.floor(uniform() * 2))
      : undefined,
});

/** a where `condition` is not 0, else b; all three broadcast. */
export function where(condition: Tensor, left: Tensor, right: Tensor): Tensor {
  requireTensor('where', 'condition', condition);
  requireTensor('where', 'a', left);
  requireTensor('where', 'b', right);
  const shape = broadcastShapes('where', broadcastShapes('where', left.shape, right.shape), condition.shape);
  return whereOp({
    condition: broadcastTo(condition, shape),
    a: broadcastTo(left, shape),
    b: broadcastTo(right, shape),
  }).y;
}
