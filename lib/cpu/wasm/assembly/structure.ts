// Kernels that move data: permute, gather, scatter-add, rotary positions.
import { splat } from './math';

/**
 * y[i] = x[sum over axes of coordinate * stride]. meta: i32 sizes of y (rank of them), then strides in x.
 * The last axis runs inside; a unit stride there is copied four at a time.
 */
export function permute(start: i32, end: i32, x: usize, y: usize, rank: i32, meta: usize): void {
  const strides = meta + (<usize>rank << 2);
  const lastAt = <usize>(rank - 1) << 2;
  const inner = rank > 0 ? load<i32>(meta + lastAt) : 1;
  const step = rank > 0 ? load<i32>(strides + lastAt) : 0;
  let i = start;
  while (i < end) {
    let rest = i / inner;
    const from = i - rest * inner;
    let offset = from * step;
    for (let axis = rank - 2; axis >= 0; axis--) {
      const size = load<i32>(meta + (<usize>axis << 2));
      const next = rest / size;
      offset += (rest - next * size) * load<i32>(strides + (<usize>axis << 2));
      rest = next;
    }
    const count = inner - from < end - i ? inner - from : end - i;
    let source = x + (<usize>offset << 2);
    let target = y + (<usize>i << 2);
    if (step == 1) memory.copy(target, source, <usize>count << 2);
    else {
      for (let k = 0; k < count; k++) {
        store<f32>(target, load<f32>(source));
        source += <usize>step << 2;
        target += 4;
      }
    }
    i += count;
  }
}

export function gatherRows(start: i32, end: i32, table: usize, index: usize, y: usize, n: i32): void {
  const bytes = <usize>n << 2;
  for (let r = start; r < end; r++) {
    memory.copy(y + <usize>r * bytes, table + <usize>load<i32>(index + (<usize>r << 2)) * bytes, bytes);
  }
}

/** y[index[i]] += x[i] for i ascending. Units are columns, so that no two threads meet. */
export function scatterAddRows(start: i32, end: i32, x: usize, index: usize, y: usize, rows: i32, n: i32): void {
  const bytes = <usize>n << 2;
  for (let r = 0; r < rows; r++) {
    const from = x + <usize>r * bytes;
    const to = y + <usize>load<i32>(index + (<usize>r << 2)) * bytes;
    let i = start;
    for (; i + 4 <= end; i += 4) {
      const at = <usize>i << 2;
      v128.store(to + at, f32x4.add(v128.load(to + at), v128.load(from + at)));
    }
    for (; i < end; i++) {
      const at = <usize>i << 2;
      store<f32>(to + at, load<f32>(to + at) + load<f32>(from + at));
    }
  }
}

/**
 * Rotary positions on x [rows, H, K]: the first R lanes of each head turn by the angles whose cos and sin stand in
 * row `position` of tables [P, R/2]. Pairs (j, j + R/2), or (2j, 2j + 1) when interleaved. sign -1 turns back.
 */
export function rope(
  start: i32, end: i32, x: usize, y: usize, cos: usize, sin: usize, positions: usize, T: i32, offset: i32,
  H: i32, K: i32, R: i32, interleaved: i32, sign: f32,
): void {
  const half = R >> 1;
  for (let row = start; row < end; row++) {
    const position = positions ? load<i32>(positions + (<usize>row << 2)) : offset + (row % T);
    const c = cos + ((<usize>position * half) << 2);
    const s = sin + ((<usize>position * half) << 2);
    for (let h = 0; h < H; h++) {
      const at = (<usize>(row * H + h) * K) << 2;
      if (interleaved) turnPairs(x + at, y + at, c, s, half, sign);
      else turnHalves(x + at, y + at, c, s, half, sign);
      if (x != y) memory.copy(y + at + (<usize>R << 2), x + at + (<usize>R << 2), <usize>(K - R) << 2);
    }
  }
}

// @ts-ignore: decorator
@inline function turnHalves(x: usize, y: usize, c: usize, s: usize, half: i32, sign: f32): void {
  const gap = <usize>half << 2;
  let j: i32 = 0;
  for (; j + 4 <= half; j += 4) {
    const at = <usize>j << 2;
    const a = v128.load(x + at);
    const b = v128.load(x + at + gap);
    const cv = v128.load(c + at);
    const sv = f32x4.mul(v128.load(s + at), splat(sign));
    v128.store(y + at, f32x4.sub(f32x4.mul(a, cv), f32x4.mul(b, sv)));
    v128.store(y + at + gap, f32x4.add(f32x4.mul(a, sv), f32x4.mul(b, cv)));
  }
  for (; j < half; j++) {
    const at = <usize>j << 2;
    const a = load<f32>(x + at);
    const b = load<f32>(x + at + gap);
    const cv = load<f32>(c + at);
    const sv = load<f32>(s + at) * sign;
    store<f32>(y + at, a * cv - b * sv);
    store<f32>(y + at + gap, a * sv + b * cv);
  }
}

// @ts-ignore: decorator
@inline function turnPairs(x: usize, y: usize, c: usize, s: usize, half: i32, sign: f32): void {
  for (let j = 0; j < half; j++) {
    const at = <usize>j << 3;
    const a = load<f32>(x + at);
    const b = load<f32>(x + at, 4);
    const cv = load<f32>(c + (<usize>j << 2));
    const sv = load<f32>(s + (<usize>j << 2)) * sign;
    store<f32>(y + at, a * cv - b * sv);
    store<f32>(y + at, a * sv + b * cv, 4);
  }
}
