/** Numbers as text, short but honest: -0, NaN and infinities are seen, whole numbers stay whole. */

/** A number in at most `digits` significant digits. */
export function shortNumber(value: number | bigint, digits = 5): string {
  if (typeof value === 'bigint') return String(value);
  if (Object.is(value, -0)) return '-0';
  if (!Number.isFinite(value)) return String(value);
  if (Number.isInteger(value) && Math.abs(value) < 1e15) return String(value);
  // Digits that rounding made up must not be shown.
  if (Math.abs(value) >= 1e15) return exponential(value, digits);
  const rounded = Number(value.toPrecision(digits));
  // Rounding must not make a number look whole that is not: neither 0.999999 as 1 nor 123456.7 as 123460.
  if (Number.isInteger(rounded) && Math.abs(value) < 10 ** digits)
    return withoutZeros(value.toPrecision(Math.min(17, digits + 4)));
  if (Number.isInteger(rounded) && !Number.isInteger(value)) return exponential(value, digits);
  return String(rounded);
}

/** 1.5e+20 and 1e+20, without zeros at the end of the digits. */
function exponential(value: number, digits: number): string {
  return value.toExponential(digits - 1).replace(/\.?0+e/, 'e');
}

function withoutZeros(written: string): string {
  return written.includes('e') ? written : written.replace(/\.?0+$/, '');
}

/** As many digits as tell the number from its neighbours of the same type. */
export function exactNumber(value: number | bigint, dtype: string): string {
  if (typeof value === 'bigint' || Object.is(value, -0) || !Number.isFinite(value)) return shortNumber(value);
  if (dtype === 'f32' || dtype === 'f16') {
    for (let digits = dtype === 'f16' ? 4 : 6; digits < 9; digits++) {
      const rounded = Number(value.toPrecision(digits));
      if (dtype === 'f32' && Math.fround(rounded) === value) return String(rounded);
      // f16 has 11 bits: neighbours differ by more than 4.8e-4 of the number.
      if (dtype === 'f16' && Math.abs(rounded - value) <= Math.abs(value) * 1e-4) return String(rounded);
    }
    return String(Number(value.toPrecision(9)));
  }
  return String(value);
}

/** "1.5 KiB" */
export function bytesText(bytes: number): string {
  const units = ['bytes', 'KiB', 'MiB', 'GiB', 'TiB'];
  let [size, unit] = [bytes, 0];
  while (size >= 1024 && unit < units.length - 1) [size, unit] = [size / 1024, unit + 1];
  if (unit === 0) return bytes === 1 ? '1 byte' : `${bytes} bytes`;
  return `${Number(size.toPrecision(3))} ${units[unit]}`;
}

/** "[2, 3]" */
export function shapeText(shape: readonly number[]): string {
  return `[${shape.join(', ')}]`;
}
