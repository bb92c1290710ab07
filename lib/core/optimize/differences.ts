/** Derivatives by differences: the check of analytic gradients, and curvature where no formula is at hand. */
import type { Objective } from './types.js';

const CUBE_ROOT_EPSILON = 6.055454452393343e-6;

/** Central differences of a function. */
export function centralGradient(
  value: (x: Float64Array) => number,
  x: ArrayLike<number>,
  step = CUBE_ROOT_EPSILON,
): Float64Array {
  const at = Float64Array.from(x);
  return at.map((center, i) => {
    const h = step * Math.max(1, Math.abs(center));
    at[i] = center + h;
    const up = value(at);
    at[i] = center - h;
    const down = value(at);
    at[i] = center;
    return (up - down) / (2 * h);
  });
}

/** Hessian by central differences of the analytic gradient, made symmetric; n * n, row-major. */
export function hessian(objective: Objective, x: ArrayLike<number>, step = CUBE_ROOT_EPSILON): Float64Array {
  const n = x.length;
  const at = Float64Array.from(x);
  const [up, down] = [new Float64Array(n), new Float64Array(n)];
  const out = new Float64Array(n * n);
  for (let i = 0; i < n; i++) {
    const center = at[i];
    const h = step * Math.max(1, Math.abs(center));
    at[i] = center + h;
    objective(at, up);
    at[i] = center - h;
    objective(at, down);
    at[i] = center;
    for (let j = 0; j < n; j++) out[i * n + j] = (up[j] - down[j]) / (2 * h);
  }
  for (let i = 0; i < n; i++)
    for (let j = 0; j < i; j++) {
      const mean = (out[i * n + j] + out[j * n + i]) / 2;
      out[i * n + j] = mean;
      out[j * n + i] = mean;
    }
  return out;
}
