/** Small dense symmetric matrices, row-major in a Float64Array of n * n: what fits of a few parameters need. */
import { ShapeError } from '../errors.js';

/** Number of rows of a square matrix. */
function rows(name: string, matrix: Float64Array): number {
  const n = Math.round(Math.sqrt(matrix.length));
  if (n * n !== matrix.length)
    throw new ShapeError(`${name}: matrix must be square, got ${matrix.length} elements`);
  return n;
}

/** Lower triangle L with L L^T = matrix; undefined where the matrix is not positive definite. */
export function cholesky(matrix: Float64Array): Float64Array | undefined {
  const n = rows('cholesky', matrix);
  const L = new Float64Array(n * n);
  for (let j = 0; j < n; j++) {
    for (let i = j; i < n; i++) {
      let sum = matrix[i * n + j];
      for (let k = 0; k < j; k++) sum -= L[i * n + k] * L[j * n + k];
      if (i > j) L[i * n + j] = sum / L[j * n + j];
      else if (sum > 0 && sum < Infinity) L[j * n + j] = Math.sqrt(sum);
      else return undefined;
    }
  }
  return L;
}

/** Solves L L^T x = b. */
export function choleskySolve(L: Float64Array, b: Float64Array): Float64Array {
  const n = b.length;
  const x = b.slice();
  for (let i = 0; i < n; i++) {
    for (let k = 0; k < i; k++) x[i] -= L[i * n + k] * x[k];
    x[i] /= L[i * n + i];
  }
  return solveTransposed(L, x);
}

/** Solves L^T x = b. */
export function solveTransposed(L: Float64Array, b: Float64Array): Float64Array {
  const n = b.length;
  const x = b.slice();
  for (let i = n - 1; i >= 0; i--) {
    for (let k = i + 1; k < n; k++) x[i] -= L[k * n + i] * x[k];
    x[i] /= L[i * n + i];
  }
  return x;
}

/** Inverse of a positive definite matrix; undefined where it is not. */
export function inverse(matrix: Float64Array): Float64Array | undefined {
  const n = rows('inverse', matrix);
  const L = cholesky(matrix);
  if (!L) return undefined;
  const out = new Float64Array(n * n);
  for (let j = 0; j < n; j++) {
    const unit = new Float64Array(n);
    unit[j] = 1;
    const column = choleskySolve(L, unit);
    for (let i = 0; i < n; i++) out[i * n + j] = column[i];
  }
  return out;
}

/** Matrix product of two square matrices. */
export function multiply(a: Float64Array, b: Float64Array): Float64Array {
  const n = rows('multiply', a);
  const out = new Float64Array(n * n);
  for (let i = 0; i < n; i++)
    for (let k = 0; k < n; k++) {
      const factor = a[i * n + k];
      for (let j = 0; j < n; j++) out[i * n + j] += factor * b[k * n + j];
    }
  return out;
}

/** Eigenvalues, ascending, and eigenvectors (one a row) of a symmetric matrix, by Jacobi's rotations. */
export function symmetricEigen(matrix: Float64Array): { values: Float64Array; vectors: Float64Array[] } {
  const n = rows('symmetricEigen', matrix);
  const a = matrix.slice();
  const v = new Float64Array(n * n);
  for (let i = 0; i < n; i++) v[i * n + i] = 1;
  for (let sweep = 0; sweep < 60; sweep++) {
    let off = 0;
    let all = 0;
    for (let i = 0; i < n; i++)
      for (let j = 0; j < n; j++) {
        all += a[i * n + j] * a[i * n + j];
        if (i !== j) off += a[i * n + j] * a[i * n + j];
      }
    if (!(off > 1e-34 * all)) break;
    for (let p = 0; p < n; p++) for (let q = p + 1; q < n; q++) rotate(a, v, n, p, q);
  }
  const order = Array.from({ length: n }, (_, i) => i).sort((i, j) => a[i * n + i] - a[j * n + j]);
  return {
    values: Float64Array.from(order, (i) => a[i * n + i]),
    vectors: order.map((i) => Float64Array.from({ length: n }, (_, k) => v[k * n + i])),
  };
}

/** One rotation that makes a[p, q] zero. */
function rotate(a: Float64Array, v: Float64Array, n: number, p: number, q: number): void {
  const apq = a[p * n + q];
  if (apq === 0) return;
  const theta = (a[q * n + q] - a[p * n + p]) / (2 * apq);
  const t = (theta >= 0 ? 1 : -1) / (Math.abs(theta) + Math.sqrt(theta * theta + 1));
  const c = 1 / Math.sqrt(t * t + 1);
  const s = t * c;
  const turn = (m: Float64Array, first: number, second: number): void => {
    const [x, y] = [m[first], m[second]];
    m[first] = c * x - s * y;
    m[second] = s * x + c * y;
  };
  for (let k = 0; k < n; k++) turn(a, k * n + p, k * n + q);
  for (let k = 0; k < n; k++) turn(a, p * n + k, q * n + k);
  for (let k = 0; k < n; k++) turn(v, k * n + p, k * n + q);
}
