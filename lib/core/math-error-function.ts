/** erf and erfc of math.ts. */
import { expSplit, productError } from './math-parts.js';

/** Chebyshev coefficients in u of exp(x^2) erfc(x) (x + 4), t = (x - 4) / (x + 4) = (1 + 8 u) / 9, x >= 1/2. */
const ERFC = [
  2.613502780200074, -0.999400013778434, 0.33450564639563113, -0.09812769153233566, 0.02510305592361228,
  -0.005529563813797631, 0.001022691250361159, -0.00015075914584299275, 1.545830699575061e-5,
  -4.886374202311502e-7, -1.744309149146546e-7, 3.477211158303258e-8, -1.4254741846918907e-9,
  -5.273285851582202e-10, 9.004243899275033e-11, 2.7213582175493175e-12, -2.3802747732945182e-12,
  1.2759304174049244e-13, 5.2053679078472156e-14, -6.727859075652321e-15, -1.0727610463561516e-15,
  2.4331030236719867e-16, 2.219053567232738e-17, -8.172472909991164e-18,
];

/** exp(x^2) erfc(x) for x >= 1/2. */
function scaledErfc(x: number): number {
  const t = (x - 4) / (x + 4);
  const u = (9 * t - 1) / 8;
  let b1 = 0;
  let b2 = 0;
  for (let i = ERFC.length - 1; i >= 1; i--) {
    const next = 2 * u * b1 - b2 + ERFC[i];
    b2 = b1;
    b1 = next;
  }
  return (u * b1 - b2 + 0.5 * ERFC[0]) / (x + 4);
}

/** erf(x) / x for x^2 = z <= 1: Maclaurin series. */
function erfRatio(z: number): number {
  let sum = 0;
  for (let n = 20; n >= 0; n--) sum = 1 / (2 * n + 1) - (z * sum) / (n + 1);
  return sum * 1.1283791670955126;
}

/** Error function 2/sqrt(pi) * integral of exp(-t^2) from 0 to x. */
export function erf(x: number): number {
  if (x !== x || x === 0) return x;
  const size = Math.abs(x);
  if (size <= 1) return x * erfRatio(x * x);
  const value = size > 6 ? 1 : 1 - erfc(size);
  return x < 0 ? -value : value;
}

/** Complementary error function 1 - erf(x), accurate for large x. */
export function erfc(x: number): number {
  if (x !== x) return NaN;
  if (x < 0.5) return 1 - erf(x);
  if (x > 27.3) return 0;
  const square = x * x;
  return expSplit(-square, -productError(x, x, square)) * scaledErfc(x);
}
