/** Central finite differences in f64 against the tape. */
import { ArgumentError } from '../core/errors.js';
import { scope } from './scope.js';
import { noGrad, valueAndGrad } from './tape.js';
import { tensor, type Tensor } from './tensor.js';

export interface GradcheckReport {
  ok: boolean;
  /** Largest |analytic - numeric| / max(1, |numeric|). */
  worst: number;
  input: number;
  index: number;
  analytic: number;
  numeric: number;
}

/**
 * Compares the gradients of a scalar function of f64 tensors with central differences.
 * @param step half width of the difference, default 1e-5
 * @param tolerance on the worst error, default 1e-6
 * @throws ArgumentError unless every input is an f64 host tensor
 */
export function gradcheck(
  fn: (...inputs: Tensor[]) => Tensor,
  inputs: Tensor[],
  options: { step?: number; tolerance?: number } = {},
): GradcheckReport {
  const { step = 1e-5, tolerance = 1e-6 } = options;
  for (const [i, t] of inputs.entries())
    if (t.dtype !== 'f64')
      throw new ArgumentError(
        `gradcheck: input ${i} must be f64, got ${t.dtype}; finite differences drown in f32`,
      );
  const analytic = scope(() => {
    const both = valueAndGrad((p: Tensor[]) => fn(...p));
    return both(inputs).grads.map((g) => Float64Array.from(g.dataSync()));
  });
  const report: GradcheckReport = { ok: true, worst: 0, input: -1, index: -1, analytic: 0, numeric: 0 };
  const value = (k: number, i: number, shift: number) =>
    scope(() => {
      const moved = inputs.map((t, j) => (j === k ? shifted(t, i, shift) : t));
      return noGrad(() => fn(...moved)).dataSync()[0];
    });
  inputs.forEach((t, k) => {
    for (let i = 0; i < t.size; i++) {
      const numeric = (value(k, i, step) - value(k, i, -step)) / (2 * step);
      const error = Math.abs(analytic[k][i] - numeric) / Math.max(1, Math.abs(numeric));
      if (error <= report.worst) continue;
      Object.assign(report, { worst: error, input: k, index: i, analytic: analytic[k][i], numeric });
    }
  });
  // Written so that NaN fails.
  report.ok = report.worst <= tolerance && analytic.every((g) => g.every((v) => Number.isFinite(v)));
  return report;
}

function shifted(t: Tensor, index: number, by: number): Tensor {
  const values = Float64Array.from(t.dataSync());
  values[index] += by;
  return tensor(values, { shape: t.shape, dtype: 'f64', device: 'host' });
}
