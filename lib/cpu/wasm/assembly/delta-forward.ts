// The delta rule forward by chunks in the WY form: lib/ops/delta-rule/chunk-parts.ts has the equations. Kept for the
// backward pass: the state before each chunk and the errors v - S'^T k.
import { scratch } from './scratch';
import {
  ABOVE, FULL, loadColumns, loadRows, LOWER, padded, product, scaleAll, scaleRows, solveLower, storeColumns, turnPanels,
} from './delta-panels';
import {
  betas, CHUNK, decayScores, firstChunk, firstRow, fromStart, GATES, keptErrors, keptState, loadGates, toEnd,
  wholeDecay,
} from './delta-common';

/** x = v - e^b x over panels [V/8][lines][8]: what the state does not predict. */
function residual(
  v: usize, step: usize, count: i32, V: i32, predicted: usize, lines: i32, factors: usize, out: usize,
): void {
  loadColumns(v, step, count, CHUNK, V, 0, out);
  for (let p = 0; p < padded(V) >> 3; p++) {
    let from = predicted + <usize>p * (<usize>lines << 5);
    for (let i = 0; i < CHUNK; i++) {
      const s = v128.load32_splat(factors + (<usize>i << 2));
      v128.store(out, f32x4.sub(v128.load(out), f32x4.mul(s, v128.load(from))));
      v128.store(out, f32x4.sub(v128.load(out, 16), f32x4.mul(s, v128.load(from, 16))), 16);
      out += 32;
      from += 32;
    }
  }
}

/** y, final and, where given, what is kept. Absent addresses are 0. Units: sequences x H. */
export function deltaRuleChunk(
  start: i32, end: i32, q: usize, k: usize, v: usize, beta: usize, decay: usize, initial: usize, y: usize,
  final: usize, states: usize, errors: usize, T: i32, G: i32, H: i32, K: i32, V: i32, cu: usize, scale: f32,
): void {
  const Kp = padded(K);
  const Vp = padded(V);
  const state = scratch();
  const gates = state + (<usize>(Kp * Vp) << 2);
  const x = gates + (<usize>GATES << 2);
  const keys = x + (<usize>(2 * CHUNK * Kp) << 2);
  const reads = keys + (<usize>(CHUNK * Kp) << 2);
  const u = reads + (<usize>(2 * CHUNK * Vp) << 2);
  const n = u + (<usize>(CHUNK * Vp) << 2);
  const a = n + (<usize>(CHUNK * CHUNK) << 2);
  const kStep = <usize>(G * K) << 2;
  const vStep = <usize>(H * V) << 2;
  for (let unit = start; unit < end; unit++) {
    const s = unit / H;
    const h = unit - s * H;
    const first = firstRow(cu, s, T);
    const length = firstRow(cu, s + 1, T) - first;
    const chunk = firstChunk(cu, s, T);
    const own = (<usize>unit * <usize>(K * V)) << 2;
    loadColumns(initial + own, <usize>V << 2, initial ? K : 0, Kp, V, 0, state);
    for (let t = 0; t < length; t += CHUNK) {
      const row = first + t;
      const count = min(CHUNK, length - t);
      const kAt = (<usize>(row * G + (h * G) / H) * <usize>K) << 2;
      const vAt = (<usize>(row * H + h) * <usize>V) << 2;
      loadGates(beta, decay, row, count, H, h, gates);
      loadRows(k + kAt, kStep, count, CHUNK, K, x);
      loadRows(q + kAt, kStep, count, CHUNK, K, x + (<usize>(CHUNK * Kp) << 2));
      if (states) turnPanels(state, Kp, Vp, keptState(states, chunk + t / CHUNK, H, h, K, V));
      product(x, state, reads, 2 * CHUNK, Vp, Kp, 2 * CHUNK, FULL, false);
      product(x, x, n, CHUNK, CHUNK, Kp, CHUNK, ABOVE, false);
      product(x, x + (<usize>(CHUNK * Kp) << 2), a, CHUNK, CHUNK, Kp, CHUNK, ABOVE, false);
      decayScores(n, gates, true);
      decayScores(a, gates, false);
      residual(v + vAt, vStep, count, V, reads, 2 * CHUNK, fromStart(gates), u);
      solveLower(n, u, CHUNK, Vp);
      if (errors) memory.copy(keptErrors(errors, chunk + t / CHUNK, H, h, V), u, <usize>(CHUNK * Vp) << 2);
      scaleRows(u, CHUNK, Vp, CHUNK, betas(gates));
      const out = reads + (<usize>CHUNK << 5);
      if (decay) scaleRows(out, CHUNK, Vp, 2 * CHUNK, fromStart(gates));
      product(a, u, out, CHUNK, Vp, CHUNK, 2 * CHUNK, LOWER, true);
      storeColumns(out, 2 * CHUNK, count, V, scale, y + vAt, vStep);
      loadColumns(k + kAt, kStep, count, CHUNK, K, decay ? toEnd(gates) : 0, keys);
      if (decay) scaleAll(state, Kp * Vp, wholeDecay(gates));
      product(keys, u, state, Kp, Vp, CHUNK, Kp, FULL, true);
    }
    storeColumns(state, Kp, K, V, 1, final + own, <usize>V << 2);
  }
}
