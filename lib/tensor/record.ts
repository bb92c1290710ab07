/** What an operator record says: the types that operators, tests, benches, export and pages share. */
import type { Dtype } from '../core/dtype.js';
import type { Dims, Shape } from '../core/shape.js';
import type { BackendName, Form } from './backend.js';
import type { Tensor } from './tensor.js';

export interface InputSpec {
  name: string;
  /** Pattern of the dims alphabet, e.g. `B T D`, `... D`, `B T G N | D N`, `*`. */
  shape: string;
  /** Accepted element types; default f32 and f64. */
  dtypes?: readonly Dtype[];
  /** May be stored as f16 on a GPU. All such inputs of a call share one type; the others stay f32, as do sums. */
  half?: boolean;
  optional?: boolean;
  /** False for integers and for inputs no gradient flows to. Default true. */
  differentiable?: boolean;
  doc: string;
}

export interface OutputSpec {
  name: string;
  shape: string;
  doc: string;
  /** False where no gradient flows back, e.g. indices. Default true. */
  differentiable?: boolean;
}

export interface ParameterSpec {
  type: 'number' | 'integer' | 'boolean' | 'string' | 'integers';
  default: number | boolean | string | readonly number[] | undefined;
  minimum?: number;
  maximum?: number;
  oneOf?: readonly string[];
  /** There is no default: a call without it is an error. */
  required?: boolean;
  doc: string;
}

export type Params = Record<string, number | boolean | string | readonly number[] | undefined>;
export type Tensors = Record<string, Tensor>;
export type OptionalTensors = Record<string, Tensor | undefined>;

/** What a kernel sees. The same object serves forward and backward. */
export interface Call {
  readonly op: OperatorRecord;
  readonly in: OptionalTensors;
  readonly params: Params;
  readonly dims: Dims;
  /** Sizes that `...` stood for. */
  readonly lead: Shape;
  /** True when a backward pass will follow: keep what it needs in `saved`. */
  readonly training: boolean;
  readonly saved: Tensors;
  /** Backward only: outputs of the forward pass. */
  out: Tensors;
  /** Backward only: gradients of the outputs; undefined stands for zero. */
  grad: OptionalTensors;
  /** Backward only: does this input need a gradient? */
  needs(name: string): boolean;
}

/** Reads tensors of one device, writes fresh ones. Every element of an output must be written. */
export type Kernel = (call: Call) => OptionalTensors;

export interface Implementation {
  forward: Kernel;
  /** Gradients by input name. Absent: the record's own `gradient` is used. */
  backward?: Kernel;
}

export interface OperatorCase {
  name: string;
  dims: Dims;
  params?: Params;
  /** Shapes of inputs whose pattern is `*` or starts with `...`; default: all sizes of `dims` in order. */
  shapes?: Record<string, Shape>;
  /** Optional inputs present in this case. */
  with?: readonly string[];
  /** Part of the quick subset that also runs on software GPUs. Default true. */
  gpu?: boolean;
}

export interface OperatorRecord {
  id: string;
  summary: string;
  equation: string;
  inputs: readonly InputSpec[];
  outputs: readonly OutputSpec[];
  parameters: Record<string, ParameterSpec>;
  /** Layout of the carried state, for sequence operators. */
  state?: string;
  /** Forms x backends that exist; earlier forms are preferred. */
  forms: Partial<Record<Form, Partial<Record<BackendName, Implementation>>>>;
  /** The form a call takes when it names none, where that depends on sizes: on nothing else, so that bits do not. */
  prefer?: (backend: BackendName, dims: Dims, params: Params) => Form | undefined;
  /** Gradient written with other operators; serves every form and backend without a kernel of its own. */
  gradient?: Kernel;
  /** Checks beyond shapes and ranges (cuSeqlens, index ranges). Runs once per call on the host side. */
  check?: (call: Call) => void;
  flops(dims: Dims, params: Params): number;
  bytes(dims: Dims, params: Params): number;
  cases: readonly OperatorCase[];
  /** Draws one input for a case; default is standard normal (integers need this). */
  sample?: (
    input: string,
    shape: Shape,
    uniform: () => number,
    dims: Dims,
    params: Params,
  ) => ArrayLike<number> | undefined;
  sources: readonly string[];
  /** Cases whose error is measured otherwise, by name: the smallest denominator in the unit of the result, and why. */
  floors?: Record<string, { floor: number; reason: string }>;
}
