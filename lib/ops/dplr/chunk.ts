/**
 * The chunked form on TypeScript: within a chunk everything is a few triangular matrices, between chunks only the state
 * passes. With E(i,j) the product of the decays of tokens j+1 to i, per lane of K,
 *   ab[i,j] = a_i . (b_j E(i-1,j)), ak likewise with k_j, j < i;  qb[i,j] = q_i . (b_j E(i,j)), qk likewise, j <= i.
 * What the corrections read, r_i = a_i^T S_{i-1}, solves the unit triangular system r = (A S) + ak V + ab r with
 * rows A_i = a_i E(i-1,start); then y = (Q S) + qk V + qb r and S <- E(end,start) S + KE^T V + BE^T r.
 * Products of decays are at most 1, so no chunk overflows, and none is a difference of sums, so no digits are lost.
 */
import { mul, mulTransposed, mulTransposedB, type Matrix } from './matrices.js';
import * as math from '../../core/math.js';
import type { Call } from '../../tensor/operator.js';
import { chunksCpu, type Advance, type Retreat } from './forms.js';
import type { DplrView } from './reference.js';

/** Rows of a chunk, each [n, K]; q already scaled. */
interface Rows {
  q: Matrix;
  k: Matrix;
  a: Matrix;
  b: Matrix;
  /** e^g */
  keep: Matrix;
}

/** The four triangular matrices, [n, n]. */
interface Pairs {
  ab: Matrix;
  ak: Matrix;
  qb: Matrix;
  qk: Matrix;
}

function rowsOf(
  s: DplrView,
  call: Call,
  [first, n]: readonly [number, number],
  h: number,
): Rows & { v: Matrix } {
  const { H, K, V } = call.dims;
  const take = (from: ArrayLike<number>, width: number, f: (x: number) => number): Matrix =>
    Array.from({ length: n }, (_, t) => {
      const at = ((first + t) * H + h) * width;
      return Float64Array.from({ length: width }, (_, i) => f(from[at + i]));
    });
  const same = (x: number) => x;
  return {
    q: take(s.q, K, (x) => s.scale * x),
    k: take(s.k, K, same),
    a: take(s.a, K, same),
    b: take(s.b, K, same),
    keep: take(s.decay, K, math.exp),
    v: take(s.v, V, same),
  };
}

const dot = (x: Float64Array, y: Float64Array) => x.reduce((sum, value, i) => sum + value * y[i], 0);
const zeros = (n: number, width: number): Matrix => Array.from({ length: n }, () => new Float64Array(width));

/** b_j and k_j decayed step by step to every later token. */
function pairsOf(r: Rows): Pairs {
  const n = r.q.length;
  const made = { ab: zeros(n, n), ak: zeros(n, n), qb: zeros(n, n), qk: zeros(n, n) };
  for (let j = 0; j < n; j++) {
    const [zb, zk] = [r.b[j].slice(), r.k[j].slice()];
    for (let i = j; i < n; i++) {
      if (i > j) {
        made.ab[i][j] = dot(r.a[i], zb);
        made.ak[i][j] = dot(r.a[i], zk);
        for (let l = 0; l < zb.length; l++) {
          zb[l] *= r.keep[i][l];
          zk[l] *= r.keep[i][l];
        }
      }
      made.qb[i][j] = dot(r.q[i], zb);
      made.qk[i][j] = dot(r.q[i], zk);
    }
  }
  return made;
}

/** Rows decayed from the start of the chunk (a exclusive, q inclusive) and to its end (k, b), and the whole decay. */
function decayed(r: Rows): { a: Matrix; q: Matrix; k: Matrix; b: Matrix; whole: Float64Array } {
  const n = r.q.length;
  const [a, q, k, b] = [r.a, r.q, r.k, r.b].map((rows) => rows.map((row) => row.slice()));
  const K = n === 0 ? 0 : r.q[0].length;
  const whole = new Float64Array(K).fill(1);
  const tail = new Float64Array(K).fill(1);
  for (let i = 0; i < n; i++)
    for (let l = 0; l < K; l++) {
      a[i][l] *= whole[l];
      whole[l] *= r.keep[i][l];
      q[i][l] *= whole[l];
      const back = n - 1 - i;
      k[back][l] *= tail[l];
      b[back][l] *= tail[l];
      tail[l] *= r.keep[back][l];
    }
  return { a, q, k, b, whole };
}

/** r = A S + ak V + ab r, row by row. */
function solve(pairs: Pairs, entering: Matrix, v: Matrix): Matrix {
  const r: Matrix = [];
  entering.forEach((row, i) => {
    const sum = row.slice();
    for (let j = 0; j < i; j++)
      for (let l = 0; l < sum.length; l++) sum[l] += pairs.ak[i][j] * v[j][l] + pairs.ab[i][j] * r[j][l];
    r.push(sum);
  });
  return r;
}

const advanceChunk: Advance = (s, call, span, h, S, y) => {
  const { H, K, V } = call.dims;
  const state = Array.from({ length: K }, (_, i) => S.subarray(i * V, i * V + V));
  const { rows: r, moved: d, pairs, read } = chunkOf(s, call, span, h, state);
  const out = mul(d.q, state);
  mul(pairs.qk, r.v, out);
  mul(pairs.qb, read, out);
  out.forEach((row, i) => {
    const to = y((span[0] + i) * H + h);
    for (let j = 0; j < V; j++) to[j] = row[j];
  });
  state.forEach((row, i) => row.forEach((x, j) => (row[j] = x * d.whole[i])));
  mulTransposed(d.k, r.v, state);
  mulTransposed(d.b, read, state);
};

/** Gradients of the pairs' rows: the chain z_j(i) = z_j(i-1) e^{g_i} forwards, its adjoint backwards. */
function pairsBackward(r: Rows, d: Pairs, to: Rows): void {
  const n = r.q.length;
  const K = n === 0 ? 0 : r.q[0].length;
  for (let j = 0; j < n; j++)
    for (let l = 0; l < K; l++) {
      const zb = [r.b[j][l]];
      const zk = [r.k[j][l]];
      for (let i = j + 1; i < n; i++) {
        zb.push(zb[i - j - 1] * r.keep[i][l]);
        zk.push(zk[i - j - 1] * r.keep[i][l]);
      }
      let [gb, gk] = [0, 0];
      for (let i = n - 1; i >= j; i--) {
        const [b, k] = [zb[i - j], zk[i - j]];
        to.q[i][l] += d.qb[i][j] * b + d.qk[i][j] * k;
        gb += d.qb[i][j] * r.q[i][l];
        gk += d.qk[i][j] * r.q[i][l];
        if (i === j) break;
        to.keep[i][l] += gb * b + gk * k;
        to.a[i][l] += d.ab[i][j] * zb[i - j - 1] + d.ak[i][j] * zk[i - j - 1];
        gb = gb * r.keep[i][l] + d.ab[i][j] * r.a[i][l];
        gk = gk * r.keep[i][l] + d.ak[i][j] * r.a[i][l];
      }
      to.b[j][l] += gb;
      to.k[j][l] += gk;
    }
}

/**
 * Gradients through the decayed rows. A decay acts on q of its own and later tokens, on a of later ones, on k and b of
 * earlier ones, and on the state that passes: sums of terms that all carry it, so nothing cancels.
 */
function decayedBackward(
  r: Rows,
  d: Rows & { whole: Float64Array },
  g: Rows & { passing: Float64Array },
): Rows {
  const n = r.q.length;
  const K = n === 0 ? 0 : r.q[0].length;
  const made = { q: zeros(n, K), k: zeros(n, K), a: zeros(n, K), b: zeros(n, K), keep: zeros(n, K) };
  for (let l = 0; l < K; l++) {
    let before = g.passing[l];
    for (let i = 0; i < n; i++) {
      made.keep[i][l] += before;
      before += d.k[i][l] * g.k[i][l] + d.b[i][l] * g.b[i][l];
    }
    let after = 0;
    let tail = 1;
    for (let i = n - 1; i >= 0; i--) {
      after += d.q[i][l] * g.q[i][l];
      made.keep[i][l] += after;
      after += d.a[i][l] * g.a[i][l];
      made.k[i][l] = g.k[i][l] * tail;
      made.b[i][l] = g.b[i][l] * tail;
      tail *= r.keep[i][l];
    }
    let head = 1;
    for (let i = 0; i < n; i++) {
      made.a[i][l] = g.a[i][l] * head;
      head *= r.keep[i][l];
      made.q[i][l] = g.q[i][l] * head;
    }
  }
  return made;
}

const lower = (m: Matrix, strict: boolean): Matrix =>
  m.map((row, i) => row.map((x, j) => (j < i || (j === i && !strict) ? x : 0)));

/** What a chunk's forward pass leaves for its gradients. */
function chunkOf(s: DplrView, call: Call, span: readonly [number, number], h: number, state: Matrix) {
  const rows = rowsOf(s, call, span, h);
  const moved = decayed(rows);
  const pairs = pairsOf(rows);
  return { rows, moved, pairs, read: solve(pairs, mul(moved.a, state), rows.v) };
}

/** The gradient of r through everything that uses it, and that of v: the transposed triangular system. */
function valueGradients({ pairs, moved }: ReturnType<typeof chunkOf>, dy: Matrix, adjoint: Matrix) {
  const x = mulTransposed(pairs.qb, dy, mul(moved.b, adjoint));
  for (let i = x.length - 1; i >= 0; i--)
    for (let j = 0; j < i; j++) x[i].forEach((value, l) => (x[j][l] += pairs.ab[i][j] * value));
  const dv = mul(moved.k, adjoint);
  mulTransposed(pairs.qk, dy, dv);
  return { x, dv: mulTransposed(pairs.ak, x, dv) };
}

/** Gradients of q (scaled), k, a, b and the decays. */
function rowGradients(
  c: ReturnType<typeof chunkOf>,
  x: Matrix,
  dy: Matrix,
  state: Matrix,
  adjoint: Matrix,
): Rows {
  const { rows, moved, read } = c;
  const through = {
    a: mulTransposedB(x, state),
    q: mulTransposedB(dy, state),
    k: mulTransposedB(rows.v, adjoint),
    b: mulTransposedB(read, adjoint),
    keep: [],
    passing: Float64Array.from(state, (row, i) => moved.whole[i] * dot(row, adjoint[i])),
  };
  const made = decayedBackward(rows, { ...moved, keep: [] }, through);
  const pairs = {
    ab: lower(mulTransposedB(x, read), true),
    ak: lower(mulTransposedB(x, rows.v), true),
    qb: lower(mulTransposedB(dy, read), false),
    qk: lower(mulTransposedB(dy, rows.v), false),
  };
  pairsBackward(rows, pairs, made);
  return made;
}

const retreatChunk: Retreat = (s, call, sums, span, h, start, G) => {
  const { H, K, V } = call.dims;
  const state = Array.from({ length: K }, (_, i) => start.subarray(i * V, i * V + V));
  const adjoint = Array.from({ length: K }, (_, i) => G.subarray(i * V, i * V + V));
  const chunk = chunkOf(s, call, span, h, state);
  const given = call.grad.y?.floats(call.op.id);
  const tokens = Array.from({ length: span[1] }, (_, t) => (span[0] + t) * H + h);
  const dy = tokens.map((t) =>
    given ? Float64Array.from(given.subarray(t * V, t * V + V)) : new Float64Array(V),
  );
  const { x, dv } = valueGradients(chunk, dy, adjoint);
  const made = rowGradients(chunk, x, dy, state, adjoint);
  tokens.forEach((token, t) => {
    sums.q.set(
      made.q[t].map((value) => s.scale * value),
      token * K,
    );
    sums.k.set(made.k[t], token * K);
    sums.a.set(made.a[t], token * K);
    sums.b.set(made.b[t], token * K);
    sums.decay.set(made.keep[t], token * K);
    sums.v.set(dv[t], token * V);
  });
  const { whole, q, a } = chunk.moved;
  adjoint.forEach((row, i) => row.forEach((value, j) => (row[j] = value * whole[i])));
  mulTransposed(q, dy, adjoint);
  mulTransposed(a, x, adjoint);
};

/** Chunks of 16 tokens. */
export const chunkCpu = chunksCpu(advanceChunk, retreatChunk);
