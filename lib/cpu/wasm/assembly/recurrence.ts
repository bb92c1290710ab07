// Element-wise linear recurrence h_t = f_t h_(t-1) + x_t over time. MODE says what is given: DECAY f = a, x = b; LOG
// f = e^a, x = b; GATED f = e^a, x = (1 - f) b. A unit is one part of time (a whole sequence, or what a table says:
// scan-common.ts) x 16 channels: one cache line a row, states in registers.
import { expV, loadUpTo, madd, select4, splat, storeUpTo } from './math';
import { partEnd, partSequence, partStart, REVERSE, sequenceStart } from './scan-common';

const BLOCK: i32 = 16;
const DECAY: i32 = 0;
const LOG: i32 = 1;
const GATED: i32 = 2;
/** Bits of `flags` that hold the mode. */
const MODE: i32 = 3;

// @ts-ignore: decorator
@inline function decayOf(a: v128, mode: i32): v128 {
  return mode == DECAY ? a : expV(a);
}

/** 1 - e^a, given f = e^a: by its series where the difference would lose its digits. */
// @ts-ignore: decorator
@inline function complement(a: v128, f: v128): v128 {
  let p = madd(a, splat(1.0 / 9), splat(1));
  p = madd(f32x4.mul(a, splat(1.0 / 8)), p, splat(1));
  p = madd(f32x4.mul(a, splat(1.0 / 7)), p, splat(1));
  p = madd(f32x4.mul(a, splat(1.0 / 6)), p, splat(1));
  p = madd(f32x4.mul(a, splat(1.0 / 5)), p, splat(1));
  p = madd(f32x4.mul(a, splat(1.0 / 4)), p, splat(1));
  p = madd(f32x4.mul(a, splat(1.0 / 3)), p, splat(1));
  p = madd(f32x4.mul(a, splat(1.0 / 2)), p, splat(1));
  const near = f32x4.lt(f32x4.abs(a), splat(0.5));
  return select4(f32x4.neg(f32x4.mul(a, p)), f32x4.sub(splat(1), f), near);
}

// Growing decays overflow over a long part; a zero state stays zero.
// @ts-ignore: decorator
@inline function carried(decay: v128, state: v128): v128 {
  return v128.andnot(f32x4.mul(decay, state), f32x4.eq(state, splat(0)));
}

// @ts-ignore: decorator
@inline function next(a: usize, b: usize, h: usize, state: v128, mode: i32, lanes: i32): v128 {
  const raw = loadUpTo(a, lanes);
  const f = decayOf(raw, mode);
  let x = loadUpTo(b, lanes);
  if (mode == GATED) x = f32x4.mul(complement(raw, f), x);
  const made = madd(f, state, x);
  storeUpTo(h, made, lanes);
  return made;
}

// @ts-ignore: decorator
@inline function forwardBlock(a: usize, b: usize, h: usize, rows: i32, step: usize, start: usize, end: usize, mode: i32): void {
  let s0 = start ? v128.load(start) : splat(0);
  let s1 = start ? v128.load(start, 16) : splat(0);
  let s2 = start ? v128.load(start, 32) : splat(0);
  let s3 = start ? v128.load(start, 48) : splat(0);
  for (let t = 0; t < rows; t++) {
    s0 = next(a, b, h, s0, mode, 4);
    s1 = next(a + 16, b + 16, h + 16, s1, mode, 4);
    s2 = next(a + 32, b + 32, h + 32, s2, mode, 4);
    s3 = next(a + 48, b + 48, h + 48, s3, mode, 4);
    a += step;
    b += step;
    h += step;
  }
  if (end) {
    v128.store(end, s0);
    v128.store(end, s1, 16);
    v128.store(end, s2, 32);
    v128.store(end, s3, 48);
  }
}

// @ts-ignore: decorator
@inline function forwardQuad(
  a: usize, b: usize, h: usize, rows: i32, step: usize, start: usize, end: usize, mode: i32, lanes: i32,
): void {
  let state = start ? loadUpTo(start, lanes) : splat(0);
  for (let t = 0; t < rows; t++) {
    state = next(a, b, h, state, mode, lanes);
    a += step;
    b += step;
    h += step;
  }
  if (end) storeUpTo(end, state, lanes);
}

// @ts-ignore: decorator
@inline function forwardUnit(
  unit: i32, a: usize, b: usize, h0: usize, h: usize, final: usize, T: i32, D: i32, cu: usize, mode: i32, table: usize,
): void {
  const blocks = (D + BLOCK - 1) / BLOCK;
  const step = <usize>D << 2;
  const part = unit / blocks;
  const d0 = (unit - part * blocks) * BLOCK;
  const s = partSequence(table, part);
  const first = partStart(table, cu, part, T);
  const last = partEnd(table, cu, part, T);
  const whole = last == sequenceStart(cu, s + 1, T);
  for (let d = d0; d < min(D, d0 + BLOCK); ) {
    const at = (<usize>first * D + d) << 2;
    const start = h0 ? h0 + ((<usize>part * D + d) << 2) : 0;
    const end = final && whole ? final + ((<usize>s * D + d) << 2) : 0;
    if (d + BLOCK <= D) {
      forwardBlock(a + at, b + at, h + at, last - first, step, start, end, mode);
      d += BLOCK;
    } else {
      forwardQuad(a + at, b + at, h + at, last - first, step, start, end, mode, min(4, D - d));
      d += 4;
    }
  }
}

/** a, b, h [rows, D]; h0 [parts, D], final [S, D] (0 = absent). Units are parts x blocks of 16 channels. */
export function linearRecurrence(
  start: i32, end: i32, a: usize, b: usize, h0: usize, h: usize, final: usize, T: i32, D: i32, cu: usize, mode: i32,
  table: usize,
): void {
  for (let unit = start; unit < end; unit++) {
    if (mode == DECAY) forwardUnit(unit, a, b, h0, h, final, T, D, cu, DECAY, table);
    else if (mode == LOG) forwardUnit(unit, a, b, h0, h, final, T, D, cu, LOG, table);
    else forwardUnit(unit, a, b, h0, h, final, T, D, cu, GATED, table);
  }
}

/** One row of one quad: gradients from what enters it; returns what leaves it. */
// @ts-ignore: decorator
@inline function previous(
  a: usize, b: usize, before: v128, dh: usize, carry: v128, da: usize, db: usize, mode: i32, lanes: i32,
): v128 {
  const G = dh ? f32x4.add(loadUpTo(dh, lanes), carry) : carry;
  const raw = loadUpTo(a, lanes);
  const f = decayOf(raw, mode);
  carry = f32x4.mul(f, G);
  if (mode == GATED) {
    storeUpTo(db, f32x4.mul(complement(raw, f), G), lanes);
    storeUpTo(da, f32x4.mul(carry, f32x4.sub(before, loadUpTo(b, lanes))), lanes);
  } else {
    storeUpTo(db, G, lanes);
    storeUpTo(da, f32x4.mul(mode == LOG ? carry : G, before), lanes);
  }
  return carry;
}

// @ts-ignore: decorator
@inline function stateBefore(h: usize, t: i32, step: usize, inner: bool, h0: usize, lanes: i32): v128 {
  if (t > 0 || inner) return loadUpTo(h - step, lanes);
  return h0 ? loadUpTo(h0, lanes) : splat(0);
}

// @ts-ignore: decorator
@inline function backwardUnit(
  unit: i32, a: usize, b: usize, h: usize, h0: usize, dh: usize, entering: usize, da: usize, db: usize, dh0: usize,
  T: i32, D: i32, cu: usize, mode: i32, table: usize,
): void {
  const blocks = (D + BLOCK - 1) / BLOCK;
  const step = <usize>D << 2;
  const part = unit / blocks;
  const d0 = (unit - part * blocks) * BLOCK;
  const s = partSequence(table, part);
  const first = partStart(table, cu, part, T);
  const rows = partEnd(table, cu, part, T) - first;
  const inner = first > sequenceStart(cu, s, T);
  for (let d = d0; d < min(D, d0 + BLOCK); ) {
    const edge = (<usize>s * D + d) << 2;
    const row = (<usize>part * D + d) << 2;
    const start = h0 ? h0 + edge : 0;
    const from = entering ? entering + row : 0;
    if (d + BLOCK <= D) {
      let c0 = from ? v128.load(from) : splat(0);
      let c1 = from ? v128.load(from, 16) : splat(0);
      let c2 = from ? v128.load(from, 32) : splat(0);
      let c3 = from ? v128.load(from, 48) : splat(0);
      for (let t = rows - 1; t >= 0; t--) {
        const p = ((<usize>first * D + d) << 2) + <usize>t * step;
        const g = dh ? dh + p : 0;
        const z0 = stateBefore(h + p, t, step, inner, start, 4);
        const z1 = stateBefore(h + p + 16, t, step, inner, start ? start + 16 : 0, 4);
        const z2 = stateBefore(h + p + 32, t, step, inner, start ? start + 32 : 0, 4);
        const z3 = stateBefore(h + p + 48, t, step, inner, start ? start + 48 : 0, 4);
        c0 = previous(a + p, b + p, z0, g, c0, da + p, db + p, mode, 4);
        c1 = previous(a + p + 16, b + p + 16, z1, g ? g + 16 : 0, c1, da + p + 16, db + p + 16, mode, 4);
        c2 = previous(a + p + 32, b + p + 32, z2, g ? g + 32 : 0, c2, da + p + 32, db + p + 32, mode, 4);
        c3 = previous(a + p + 48, b + p + 48, z3, g ? g + 48 : 0, c3, da + p + 48, db + p + 48, mode, 4);
      }
      if (dh0 && !inner) {
        v128.store(dh0 + edge, c0);
        v128.store(dh0 + edge, c1, 16);
        v128.store(dh0 + edge, c2, 32);
        v128.store(dh0 + edge, c3, 48);
      }
      d += BLOCK;
    } else {
      const lanes = min(4, D - d);
      let carry = from ? loadUpTo(from, lanes) : splat(0);
      for (let t = rows - 1; t >= 0; t--) {
        const p = ((<usize>first * D + d) << 2) + <usize>t * step;
        const before = stateBefore(h + p, t, step, inner, start, lanes);
        carry = previous(a + p, b + p, before, dh ? dh + p : 0, carry, da + p, db + p, mode, lanes);
      }
      if (dh0 && !inner) storeUpTo(dh0 + edge, carry, lanes);
      d += 4;
    }
  }
}

/**
 * G_t = dh_t + f_(t+1) G_(t+1), from what enters each part at its end. DECAY: db = G, da = G h_(t-1); LOG: da = f G
 * h_(t-1); GATED: db = (1 - f) G, da = f G (h_(t-1) - b). dh0 = f_1 G_1. h0, dh0 [S, D]; entering [parts, D]; dh, h0,
 * dh0 and entering may be absent; b is read only when GATED.
 */
export function linearRecurrenceBackward(
  start: i32, end: i32, a: usize, b: usize, h: usize, h0: usize, dh: usize, entering: usize, da: usize, db: usize,
  dh0: usize, T: i32, D: i32, cu: usize, mode: i32, table: usize,
): void {
  for (let unit = start; unit < end; unit++) {
    if (mode == DECAY) backwardUnit(unit, a, b, h, h0, dh, entering, da, db, dh0, T, D, cu, DECAY, table);
    else if (mode == LOG) backwardUnit(unit, a, b, h, h0, dh, entering, da, db, dh0, T, D, cu, LOG, table);
    else backwardUnit(unit, a, b, h, h0, dh, entering, da, db, dh0, T, D, cu, GATED, table);
  }
}

// @ts-ignore: decorator
@inline function reduceQuad(
  a: usize, x: usize, made: usize, factors: usize, rows: i32, step: usize, mode: i32, reverse: bool, lanes: i32,
): void {
  let state = splat(0);
  let factor = mode == DECAY ? splat(1) : splat(0);
  for (let k = 0; k < rows; k++) {
    const at = <usize>(reverse ? rows - 1 - k : k) * step;
    const raw = loadUpTo(a + at, lanes);
    const f = decayOf(raw, mode);
    let input = x ? loadUpTo(x + at, lanes) : splat(0);
    if (mode == GATED && !reverse) input = f32x4.mul(complement(raw, f), input);
    factor = mode == DECAY ? f32x4.mul(factor, raw) : f32x4.add(factor, raw);
    state = reverse ? f32x4.mul(f, f32x4.add(state, input)) : madd(f, state, input);
  }
  storeUpTo(made, state, lanes);
  storeUpTo(factors, factor, lanes);
}

/**
 * What every part makes from zero, and the product of its decays (of logarithms: their sum), both [parts, D]. With
 * REVERSE of the gradient, backwards in time. Units are parts x blocks of 16 channels.
 */
export function linearRecurrenceReduce(
  start: i32, end: i32, a: usize, x: usize, made: usize, factors: usize, T: i32, D: i32, cu: usize, flags: i32,
  table: usize,
): void {
  const blocks = (D + BLOCK - 1) / BLOCK;
  const step = <usize>D << 2;
  const mode = flags & MODE;
  const reverse = (flags & REVERSE) != 0;
  for (let unit = start; unit < end; unit++) {
    const part = unit / blocks;
    const d0 = (unit - part * blocks) * BLOCK;
    const first = partStart(table, cu, part, T);
    const rows = partEnd(table, cu, part, T) - first;
    for (let d = d0; d < min(D, d0 + BLOCK); d += 4) {
      const at = (<usize>first * D + d) << 2;
      const to = (<usize>part * D + d) << 2;
      const from = x ? x + at : 0;
      const lanes = min(4, D - d);
      if (mode == DECAY) reduceQuad(a + at, from, made + to, factors + to, rows, step, DECAY, reverse, lanes);
      else if (mode == LOG) reduceQuad(a + at, from, made + to, factors + to, rows, step, LOG, reverse, lanes);
      else reduceQuad(a + at, from, made + to, factors + to, rows, step, GATED, reverse, lanes);
    }
  }
}

/**
 * Replaces what the parts of a sequence made by what enters each, from `edge` [S, D]. `firsts` i32 [S + 1] holds the
 * first part of every sequence. Units are sequences x quads of channels.
 */
export function linearRecurrenceCarry(
  start: i32, end: i32, edge: usize, made: usize, factors: usize, D: i32, firsts: usize, flags: i32,
): void {
  const quads = (D + 3) >> 2;
  const mode = flags & MODE;
  const reverse = (flags & REVERSE) != 0;
  for (let unit = start; unit < end; unit++) {
    const s = unit / quads;
    const d = (unit - s * quads) << 2;
    const lanes = min(4, D - d);
    const first = load<i32>(firsts + (<usize>s << 2));
    const count = load<i32>(firsts + (<usize>s << 2), 4) - first;
    let state = edge ? loadUpTo(edge + ((<usize>s * D + d) << 2), lanes) : splat(0);
    for (let k = 0; k < count; k++) {
      const at = (<usize>(first + (reverse ? count - 1 - k : k)) * D + d) << 2;
      const ends = loadUpTo(made + at, lanes);
      storeUpTo(made + at, state, lanes);
      state = f32x4.add(carried(decayOf(loadUpTo(factors + at, lanes), mode), state), ends);
    }
  }
}
