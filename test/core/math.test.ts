import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import * as math from '../../lib/core/math.js';

type Cell = number | string;
const golden = JSON.parse(
  readFileSync(new URL('../golden/elementary.json', import.meta.url), 'utf8'),
) as Record<string, Cell[][]>;

const NAMED: Record<string, number> = { nan: NaN, inf: Infinity, '-inf': -Infinity, '-0': -0 };
const number = (cell: Cell): number => (typeof cell === 'string' ? NAMED[cell] : cell);

const buffer = new DataView(new ArrayBuffer(8));
/** Position of a double on the number line of doubles. */
function position(x: number): bigint {
  buffer.setFloat64(0, x);
  const word = buffer.getBigInt64(0);
  return word < 0n ? -(word & 0x7fffffffffffffffn) : word;
}
function ulps(a: number, b: number): number {
  if (Number.isNaN(a) || Number.isNaN(b)) return Number.isNaN(a) && Number.isNaN(b) ? 0 : Infinity;
  const distance = position(a) - position(b);
  return Number(distance < 0n ? -distance : distance);
}

type Unary = (x: number) => number;
const unary: Record<string, Unary> = {
  exp: math.exp,
  expm1: math.expm1,
  log: math.log,
  log2: math.log2,
  log1p: math.log1p,
  sin: math.sin,
  cos: math.cos,
  tanh: math.tanh,
  sigmoid: math.sigmoid,
  softplus: math.softplus,
  erf: math.erf,
  erfc: math.erfc,
};
/** Largest distance from the correctly rounded value, in units of the last place. */
const LIMITS: Record<string, number> = { log2: 2, expm1: 2, tanh: 2, sigmoid: 2, softplus: 2, erfc: 4 };

describe('elementary functions', () => {
  for (const [name, fn] of Object.entries(unary)) {
    it(`${name} is within ${LIMITS[name] ?? 1} ulp of the exact value`, () => {
      let worst = { error: -1, x: 0, got: 0, want: 0 };
      for (const [x, want] of golden[name].map((row) => row.map(number))) {
        const got = fn(x);
        const error = ulps(got, want);
        if (error > worst.error) worst = { error, x, got, want };
      }
      expect(worst.error, JSON.stringify(worst)).toBeLessThanOrEqual(LIMITS[name] ?? 1);
      expect(golden[name].length).toBeGreaterThan(30);
    });
  }

  it('pow is within 1 ulp of the exact value, also for large exponents', () => {
    let worst = { error: -1, x: 0, y: 0, got: 0, want: 0 };
    for (const [x, y, want] of golden['pow'].map((row) => row.map(number))) {
      const got = math.pow(x, y);
      const error = ulps(got, want);
      if (error > worst.error) worst = { error, x, y, got, want };
    }
    expect(worst.error, JSON.stringify(worst)).toBeLessThanOrEqual(1);
  });

  it('pow is exact when the power of two integers is', () => {
    for (let base = 2; base <= 20; base++) {
      let power = 1;
      for (let n = 0; power * base <= Number.MAX_SAFE_INTEGER; n++, power *= base) {
        expect(math.pow(base, n)).toBe(power);
      }
    }
  });

  it('special values follow the rules of Math', () => {
    const specials = [0, -0, Infinity, -Infinity, NaN, 1, -1, 1e308, -1e308, 5e-324, -5e-324];
    for (const name of ['exp', 'expm1', 'log', 'log2', 'log1p', 'sin', 'tanh', 'cos'] as const) {
      for (const x of specials) {
        const want = Math[name](x);
        const got = math[name](x);
        const same = Object.is(got, want) || ulps(got, want) <= 1;
        expect(same, `${name}(${String(x)}) gave ${String(got)}, Math has ${String(want)}`).toBe(true);
      }
    }
    const powers = [...specials, 2, -2, 3, -3, 0.5, -0.5];
    for (const x of powers) {
      for (const y of powers) {
        const got = math.pow(x, y);
        const want = x ** y;
        const same = Object.is(got, want) || (got !== 0 && ulps(got, want) <= 1);
        expect(same, `pow(${x}, ${y}) gave ${got}, expected ${want}`).toBe(true);
      }
    }
    expect([math.erf(Infinity), math.erf(-Infinity), math.erfc(Infinity), math.erfc(-Infinity)]).toEqual([
      1, -1, 0, 2,
    ]);
    expect([math.sigmoid(Infinity), math.sigmoid(-Infinity)]).toEqual([1, 0]);
    expect([math.softplus(Infinity), math.softplus(-Infinity)]).toEqual([Infinity, 0]);
    for (const fn of Object.values(unary)) expect(fn(NaN)).toBeNaN();
  });

  it('sin and cos agree with an exact reduction for every size of argument', () => {
    let x = 0.7;
    for (let i = 0; i < 300; i++, x *= 9.7) {
      if (!Number.isFinite(x)) break;
      expect(Math.abs(math.sin(x) ** 2 + math.cos(x) ** 2 - 1)).toBeLessThan(4e-16);
      expect(ulps(math.sin(-x), -math.sin(x))).toBe(0);
      expect(ulps(math.cos(-x), math.cos(x))).toBe(0);
    }
  });

  it('the same bits come out as on the machine where the golden fingerprint was taken', () => {
    let state = 0x9e3779b9;
    let hash = 0;
    for (let i = 0; i < 20000; i++) {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      const x = (state - 2147483648) / 67108864;
      const value =
        math.exp(x) +
        math.log(x * x + 1e-9) +
        math.sin(x) * math.cos(x) +
        math.tanh(x) +
        math.pow(x * x, 0.3);
      buffer.setFloat64(0, value);
      hash = (Math.imul(hash, 31) + buffer.getInt32(0) + Math.imul(buffer.getInt32(4), 7)) | 0;
    }
    expect(hash).toBe(-391893612);
  });
});
