// Rows of a mixture of experts: to the layout of a plan, back to tokens, and products of pairs of rows.
import { hsum, splat } from './math';

/** to = w from (n lanes). */
// @ts-ignore: decorator
@inline function scaleRow(from: usize, to: usize, w: f32, n: i32): void {
  const factor = splat(w);
  let i = 0;
  for (; i + 4 <= n; i += 4) {
    const at = <usize>i << 2;
    v128.store(to + at, f32x4.mul(v128.load(from + at), factor));
  }
  for (; i < n; i++) {
    const at = <usize>i << 2;
    store<f32>(to + at, load<f32>(from + at) * w);
  }
}

/** rows[r] = w[c] x[c / k] with c = source[r]; 0 where it is negative; w is 1 when absent (0). Units are rows. */
export function spreadRows(start: i32, end: i32, x: usize, source: usize, w: usize, rows: usize, k: i32, n: i32): void {
  const bytes = <usize>n << 2;
  for (let r = start; r < end; r++) {
    const c = load<i32>(source + (<usize>r << 2));
    const to = rows + <usize>r * bytes;
    if (c < 0) {
      memory.fill(to, 0, bytes);
      continue;
    }
    const from = x + <usize>(c / k) * bytes;
    if (w) scaleRow(from, to, load<f32>(w + (<usize>c << 2)), n);
    else memory.copy(to, from, bytes);
  }
}

/** y[t] = sum over j of w[t, j] rows[slots[t, j]] in the order of j, without negative slots. Units are tokens. */
export function collectRows(start: i32, end: i32, rows: usize, slots: usize, w: usize, y: usize, k: i32, n: i32): void {
  const bytes = <usize>n << 2;
  for (let t = start; t < end; t++) {
    const to = y + <usize>t * bytes;
    let first = true;
    for (let c = t * k; c < (t + 1) * k; c++) {
      const slot = load<i32>(slots + (<usize>c << 2));
      if (slot < 0) continue;
      const from = rows + <usize>slot * bytes;
      const factor: f32 = w ? load<f32>(w + (<usize>c << 2)) : 1;
      if (first) {
        if (w) scaleRow(from, to, factor, n);
        else memory.copy(to, from, bytes);
      } else addRow(from, to, factor, n);
      first = false;
    }
    if (first) memory.fill(to, 0, bytes);
  }
}

/** to += w from. */
// @ts-ignore: decorator
@inline function addRow(from: usize, to: usize, w: f32, n: i32): void {
  const factor = splat(w);
  let i = 0;
  for (; i + 4 <= n; i += 4) {
    const at = <usize>i << 2;
    v128.store(to + at, f32x4.add(v128.load(to + at), f32x4.mul(v128.load(from + at), factor)));
  }
  for (; i < n; i++) {
    const at = <usize>i << 2;
    store<f32>(to + at, load<f32>(to + at) + load<f32>(from + at) * w);
  }
}

/** y[c] = x[c / k] . rows[slots[c]], 0 where the slot is negative. Units are choices; four lanes, two partial sums. */
export function dotRows(start: i32, end: i32, x: usize, rows: usize, slots: usize, y: usize, k: i32, n: i32): void {
  const bytes = <usize>n << 2;
  for (let c = start; c < end; c++) {
    const slot = load<i32>(slots + (<usize>c << 2));
    let total: f32 = 0;
    if (slot >= 0) {
      const a = x + <usize>(c / k) * bytes;
      const b = rows + <usize>slot * bytes;
      let even = splat(0);
      let odd = splat(0);
      let i = 0;
      for (; i + 8 <= n; i += 8) {
        const at = <usize>i << 2;
        even = f32x4.add(even, f32x4.mul(v128.load(a + at), v128.load(b + at)));
        odd = f32x4.add(odd, f32x4.mul(v128.load(a + at, 16), v128.load(b + at, 16)));
      }
      total = hsum(f32x4.add(even, odd));
      for (; i < n; i++) {
        const at = <usize>i << 2;
        total += load<f32>(a + at) * load<f32>(b + at);
      }
    }
    store<f32>(y + (<usize>c << 2), total);
  }
}
