/** The element-wise functions: one row holds name, value, derivative and the words for the reference page. */
import * as math from '../../core/math.js';

export interface UnaryRow {
  equation: string;
  value: (x: number) => number;
  /** dy/dx given x and y. */
  slope: (x: number, y: number) => number;
  /** Range from which test inputs are drawn. */
  range: readonly [number, number];
}

const GELU_SCALE = 0.7978845608028654; // sqrt(2/pi)
const GELU_CUBE = 0.044715;

function geluTanh(x: number): number {
  return math.tanh(GELU_SCALE * (x + GELU_CUBE * x * x * x));
}

/** log(1+e^x), the identity above 20 as PyTorch's, e^x far below where 1+e^x would round to 1. */
export function softplus(x: number): number {
  return x > 20 ? x : math.softplus(x);
}

export const UNARY: Record<string, UnaryRow> = {
  neg: { equation: '-x', value: (x) => -x, slope: () => -1, range: [-3, 3] },
  exp: { equation: 'e^x', value: math.exp, slope: (_, y) => y, range: [-10, 10] },
  log: { equation: 'ln x', value: math.log, slope: (x) => 1 / x, range: [0.01, 9] },
  sqrt: { equation: 'sqrt x', value: Math.sqrt, slope: (_, y) => 0.5 / y, range: [0.01, 9] },
  rsqrt: {
    equation: '1/sqrt x',
    value: (x) => 1 / Math.sqrt(x),
    slope: (x, y) => (-0.5 * y) / x,
    range: [0.01, 9],
  },
  abs: { equation: '|x|', value: Math.abs, slope: (x) => Math.sign(x), range: [-3, 3] },
  square: { equation: 'x^2', value: (x) => x * x, slope: (x) => 2 * x, range: [-3, 3] },
  sigmoid: {
    equation: '1/(1+e^-x)',
    value: math.sigmoid,
    slope: (x, y) => y * math.sigmoid(-x),
    range: [-20, 20],
  },
  tanh: { equation: 'tanh x', value: math.tanh, slope: (_, y) => 1 - y * y, range: [-6, 6] },
  relu: {
    equation: 'max(x, 0)',
    value: (x) => (x > 0 ? x : x === x ? 0 : x),
    slope: (x) => (x > 0 ? 1 : 0),
    range: [-3, 3],
  },
  silu: {
    equation: 'x/(1+e^-x)',
    value: (x) => x * math.sigmoid(x),
    slope: (x) => {
      const s = math.sigmoid(x);
      return s * (1 + x * (1 - s));
    },
    range: [-20, 20],
  },
  gelu: {
    equation: 'x/2 (1 + tanh(sqrt(2/pi)(x + 0.044715 x^3)))',
    value: (x) => 0.5 * x * (1 + geluTanh(x)),
    slope: (x) => {
      const t = geluTanh(x);
      return 0.5 * (1 + t) + 0.5 * x * (1 - t * t) * GELU_SCALE * (1 + 3 * GELU_CUBE * x * x);
    },
    range: [-6, 6],
  },
  softplus: {
    equation: 'log(1+e^x)',
    value: softplus,
    slope: (x) => (x > 20 ? 1 : math.sigmoid(x)),
    range: [-30, 30],
  },
};

export interface BinaryRow {
  equation: string;
  value: (a: number, b: number) => number;
  slopes: (a: number, b: number, y: number) => readonly [number, number];
  /** Test inputs must be positive (pow, div). */
  positive?: boolean;
}

// Ties and NaN: the first argument wins a tie; NaN spreads.
const larger = (a: number, b: number) => (a >= b || a !== a ? a : b);
const smaller = (a: number, b: number) => (a <= b || a !== a ? a : b);

export const BINARY: Record<string, BinaryRow> = {
  add: { equation: 'a + b', value: (a, b) => a + b, slopes: () => [1, 1] },
  sub: { equation: 'a - b', value: (a, b) => a - b, slopes: () => [1, -1] },
  mul: { equation: 'a b', value: (a, b) => a * b, slopes: (a, b) => [b, a] },
  div: { equation: 'a / b', value: (a, b) => a / b, slopes: (_, b, y) => [1 / b, -y / b], positive: true },
  maximum: { equation: 'max(a, b)', value: larger, slopes: (a, b) => (a >= b ? [1, 0] : [0, 1]) },
  minimum: { equation: 'min(a, b)', value: smaller, slopes: (a, b) => (a <= b ? [1, 0] : [0, 1]) },
  pow: {
    equation: 'a^b',
    value: math.pow,
    slopes: (a, b, y) => [b * math.pow(a, b - 1), a > 0 ? y * math.log(a) : 0],
    positive: true,
  },
};

export const RELATIONS: Record<string, (a: number, b: number) => boolean> = {
  lt: (a, b) => a < b,
  le: (a, b) => a <= b,
  gt: (a, b) => a > b,
  ge: (a, b) => a >= b,
  eq: (a, b) => a === b,
  ne: (a, b) => a !== b,
};
