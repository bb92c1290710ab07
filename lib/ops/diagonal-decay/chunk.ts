/**
 * The form chunk in TypeScript: blocks of 16 tokens. Inside a block decays between two tokens are running products,
 * so nothing is divided and no sums of log-decays are subtracted; everything else is matrix products. In f64.
 */
import * as math from '../../core/math.js';
import { gradientSums, gradientTensors, type GradientSums } from '../../tensor/gradient-sums.js';
import { allocate, type Call, type Implementation, type Kernel } from '../../tensor/operator.js';
import { stateRows, type Sequence } from '../sequence/index.js';
import { decayView, type DecayView } from './reference.js';

const BLOCK = 16;

/** Rows of one block of one head, contiguous: tokens x lanes. */
interface Block {
  first: number;
  m: number;
  /** q times scale, k, decays. */
  q: Float64Array;
  k: Float64Array;
  a: Float64Array;
  v: Float64Array;
  /** Decays from the block's start up to a token (with a bonus: before it), and after it to the block's end. */
  before: Float64Array;
  after: Float64Array;
  total: Float64Array;
}

/** out[m n] += A B with A[i, l] = a[i ai + l al] and B[l, j] = b[l bl + j bj]. */
function multiply(
  out: Float64Array,
  [m, n, depth]: readonly [number, number, number],
  [a, ai, al]: readonly [Float64Array, number, number],
  [b, bl, bj]: readonly [Float64Array, number, number],
): void {
  for (let i = 0; i < m; i++)
    for (let l = 0; l < depth; l++) {
      const x = a[i * ai + l * al];
      for (let j = 0; j < n; j++) out[i * n + j] += x * b[l * bl + j * bj];
    }
}

const times = (x: Float64Array, y: Float64Array) => x.map((value, i) => value * y[i]);

function rowsOf(from: ArrayLike<number>, b: { first: number; m: number }, H: number, h: number, n: number) {
  const to = new Float64Array(b.m * n);
  for (let i = 0; i < b.m; i++)
    for (let c = 0; c < n; c++) to[i * n + c] = from[((b.first + i) * H + h) * n + c];
  return to;
}

function blockOf(view: DecayView, call: Call, h: number, first: number, m: number): Block {
  const { H, K, V } = call.dims;
  const place = { first, m };
  const a = new Float64Array(m * K);
  for (let i = 0; i < m; i++)
    for (let c = 0; c < K; c++) a[i * K + c] = math.exp(view.decay[view.atDecay(first + i, h) + c]);
  const [before, after] = [new Float64Array(m * K), new Float64Array(m * K)];
  const total = new Float64Array(K).fill(1);
  for (let c = 0; c < K; c++) {
    for (let i = 0; i < m; i++) {
      const next = total[c] * a[i * K + c];
      before[i * K + c] = view.bonus ? total[c] : next;
      total[c] = next;
    }
    for (let i = m - 1, run = 1; i >= 0; run *= a[i * K + c], i--) after[i * K + c] = run;
  }
  const q = rowsOf(view.q, place, H, h, K).map((x) => x * view.scale);
  const [k, v] = [rowsOf(view.k, place, H, h, K), rowsOf(view.v, place, H, h, V)];
  return { first, m, q, k, a, v, before, after, total };
}

function blocksOf(view: DecayView, call: Call, [, first, length]: Sequence, h: number): Block[] {
  return Array.from({ length: Math.ceil(length / BLOCK) }, (_, n) =>
    blockOf(view, call, h, first + n * BLOCK, Math.min(BLOCK, length - n * BLOCK)),
  );
}

/** P_ij = sum_c q_ic k_jc (decays between them)_c for j <= i; with a bonus the diagonal is q_i . u k_i. */
function scoresOf(b: Block, K: number, u: ArrayLike<number> | undefined): Float64Array {
  const p = new Float64Array(b.m * b.m);
  const w = new Float64Array(K);
  for (let j = 0; j < b.m; j++) {
    w.set(b.k.subarray(j * K, j * K + K));
    for (let i = j; i < b.m; i++) {
      const decays = i === j ? undefined : u ? (i === j + 1 ? undefined : i - 1) : i;
      let sum = 0;
      for (let c = 0; c < K; c++) {
        if (decays !== undefined) w[c] *= b.a[decays * K + c];
        sum += b.q[i * K + c] * w[c] * (u && i === j ? u[c] : 1);
      }
      p[i * b.m + j] = sum;
    }
  }
  return p;
}

/** S <- Diag(total) S + (k after)^T v. */
function advance(b: Block, S: Float64Array, K: number, V: number): void {
  for (let i = 0; i < S.length; i++) S[i] *= b.total[Math.floor(i / V)];
  multiply(S, [K, V, b.m], [times(b.k, b.after), 1, K], [b.v, V, 1]);
}

function startState(view: DecayView, row: number, h: number, call: Call): Float64Array {
  const { H, K, V } = call.dims;
  const at = (row * H + h) * K * V;
  return view.initial ? Float64Array.from(view.initial.subarray(at, at + K * V)) : new Float64Array(K * V);
}

const forward: Kernel = (call) => {
  const { H, K, V } = call.dims;
  const view = decayView(call);
  const y = allocate(call, call.in.v!.shape);
  const finalState = allocate(call, [stateRows(call), H, K, V]);
  const [to, last] = [y.floats(call.op.id), finalState.floats(call.op.id)];
  for (const sequence of view.sequences)
    for (let h = 0; h < H; h++) {
      const S = startState(view, sequence[0], h, call);
      const u = view.bonus?.subarray(h * K, h * K + K);
      for (const b of blocksOf(view, call, sequence, h)) {
        const out = new Float64Array(b.m * V);
        multiply(out, [b.m, V, K], [times(b.q, b.before), K, 1], [S, V, 1]);
        multiply(out, [b.m, V, b.m], [scoresOf(b, K, u), b.m, 1], [b.v, V, 1]);
        for (let i = 0; i < b.m; i++)
          for (let e = 0; e < V; e++) to[((b.first + i) * H + h) * V + e] = out[i * V + e];
        advance(b, S, K, V);
      }
      last.set(S, (sequence[0] * H + h) * K * V);
    }
  return { y, finalState };
};

const backward: Kernel = (call) => {
  const { H, K, V } = call.dims;
  const view = decayView(call);
  const sums = gradientSums(call);
  const given = call.grad.finalState?.floats(call.op.id);
  for (const sequence of view.sequences)
    for (let h = 0; h < H; h++) {
      const at = (sequence[0] * H + h) * K * V;
      const S = startState(view, sequence[0], h, call);
      const blocks = blocksOf(view, call, sequence, h);
      const states = blocks.map((b) => {
        const entering = S.slice();
        advance(b, S, K, V);
        return entering;
      });
      const G = given ? Float64Array.from(given.subarray(at, at + K * V)) : new Float64Array(K * V);
      for (let n = blocks.length - 1; n >= 0; n--)
        blockBackward(view, call, sums, h, blocks[n], states[n], G);
      sums.initialState?.set(G, at);
    }
  return gradientTensors(call, sums);
};

/** Adds the gradients of one block from the state before it and the adjoint after it, which becomes the one before. */
function blockBackward(
  view: DecayView,
  call: Call,
  sums: GradientSums,
  h: number,
  b: Block,
  S: Float64Array,
  G: Float64Array,
): void {
  const { H, K, V } = call.dims;
  const { m } = b;
  const dy = call.grad.y ? rowsOf(call.grad.y.floats(call.op.id), b, H, h, V) : new Float64Array(m * V);
  const u = view.bonus?.subarray(h * K, h * K + K);
  const [qi, ke] = [times(b.q, b.before), times(b.k, b.after)];
  const dv = new Float64Array(m * V);
  multiply(dv, [m, V, m], [scoresOf(b, K, u), 1, m], [dy, V, 1]);
  multiply(dv, [m, V, K], [ke, K, 1], [G, V, 1]);
  const [dp, dq, dk] = [new Float64Array(m * m), new Float64Array(m * K), new Float64Array(m * K)];
  multiply(dp, [m, m, V], [dy, V, 1], [b.v, 1, V]);
  multiply(dq, [m, K, V], [dy, V, 1], [S, 1, V]);
  multiply(dk, [m, K, V], [b.v, V, 1], [G, 1, V]);
  const dg = throughStates(b, K, V, { S, G, qi, ke, dq, dk, exclusive: u !== undefined });
  for (let c = 0; c < K; c++) throughPairs(b, K, c, dp, { dq, dk, dg }, u);
  for (let i = 0; i < m; i++) {
    const head = (b.first + i) * H + h;
    const g = view.atDecay(b.first + i, h);
    for (let e = 0; e < V; e++) sums.v[head * V + e] = dv[i * V + e];
    for (let c = 0; c < K; c++) {
      sums.q[head * K + c] = view.scale * dq[i * K + c];
      sums.k[head * K + c] = dk[i * K + c];
      sums.decay[g + c] += dg[i * K + c];
      if (u) sums.bonus[h * K + c] += dp[i * m + i] * b.q[i * K + c] * b.k[i * K + c];
    }
  }
  for (let i = 0; i < G.length; i++) G[i] *= b.total[Math.floor(i / V)];
  multiply(G, [K, V, m], [qi, 1, K], [dy, V, 1]);
}

interface Exchange {
  S: Float64Array;
  G: Float64Array;
  qi: Float64Array;
  ke: Float64Array;
  dq: Float64Array;
  dk: Float64Array;
  exclusive: boolean;
}

/**
 * Finishes dq and dk through the states and returns the part of dg that they carry: what crosses token t is S to G,
 * what later tokens read of S, what earlier ones write into G.
 */
function throughStates(b: Block, K: number, V: number, x: Exchange): Float64Array {
  const dg = new Float64Array(b.m * K);
  for (let c = 0; c < K; c++) {
    let sum = 0;
    for (let e = 0; e < V; e++) sum += x.S[c * V + e] * x.G[c * V + e];
    sum *= b.total[c];
    for (let i = b.m - 1; i >= 0; i--) {
      const p = i * K + c;
      const read = x.dq[p] * x.qi[p];
      dg[p] = x.exclusive ? sum : sum + read;
      sum += read;
      x.dq[p] *= b.before[p];
    }
    for (let j = 0, written = 0; j < b.m; j++) {
      const p = j * K + c;
      dg[p] += written;
      written += x.dk[p] * x.ke[p];
      x.dk[p] *= b.after[p];
    }
  }
  return dg;
}

/** Pairs of one lane: w_t = q_i (decays after t up to i) runs down, z_t = sum_{j<t} dP_ij k_j (decays up to t) up. */
function throughPairs(
  b: Block,
  K: number,
  c: number,
  dp: Float64Array,
  to: { dq: Float64Array; dk: Float64Array; dg: Float64Array },
  u: ArrayLike<number> | undefined,
): void {
  const w = new Float64Array(BLOCK);
  for (let i = 0; i < b.m; i++) {
    const top = u ? i - 1 : i;
    for (let t = top, x = b.q[i * K + c]; t >= 0; x *= b.a[t * K + c], t--) {
      w[t] = x;
      to.dk[t * K + c] += dp[i * b.m + t] * x;
    }
    let z = 0;
    for (let t = 0; t <= top; t++) {
      if (t > 0) {
        z *= b.a[t * K + c];
        to.dg[t * K + c] += z * w[t];
      }
      z += dp[i * b.m + t] * b.k[t * K + c];
    }
    to.dq[i * K + c] += z;
    if (!u) continue;
    const own = dp[i * b.m + i] * u[c];
    to.dq[i * K + c] += own * b.k[i * K + c];
    to.dk[i * K + c] += own * b.q[i * K + c];
  }
}

export const chunkCpu: Implementation = { forward, backward };
