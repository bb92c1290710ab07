/** The tiled algorithms against the left product, forward and backward, and the work of a token. */
import * as math from '../../core/math.js';
import { attentionTraffic } from '../../cost/index.js';
import { Random } from '../../core/random.js';
import { lightningAttention, lightningSlopes } from '../../families/lightning-attention/index.js';
import { vjp } from '../../tensor/tape.js';
import type { Tensor } from '../../tensor/tensor.js';
import {
  chunkForm,
  drawHead,
  drawRows,
  farthest,
  noWork,
  parallelForm,
  smallestOf,
  zeroRows,
  type DecayHead,
  type Rows,
} from '../decay-forms.js';
import { doubles, inDoubles } from '../host-doubles.js';
import type { Measurement } from '../ledger/types.js';

const [T, HEADS, K, V] = [96, 3, 8, 8];
/** Tokens of a block; the last block of some does not fill. */
export const BLOCKS = [1, 7, 16, 96];

interface Gradients {
  q: Rows;
  k: Rows;
  v: Rows;
}

/** One head, the gradient of its outputs, and its decay. */
interface Problem {
  head: DecayHead;
  dy: Rows;
  decay: number;
}

/** Gradients of ((Q K^T) * M) V by all pairs. */
function leftProduct({ head: { q, k, v }, dy, decay }: Problem): Gradients {
  const made = { q: zeroRows(T, K), k: zeroRows(T, K), v: zeroRows(T, V) };
  const dot = (a: Float64Array, b: Float64Array) => a.reduce((sum, x, c) => sum + x * b[c], 0);
  const add = (to: Float64Array, factor: number, from: Float64Array) =>
    from.forEach((x, c) => (to[c] += factor * x));
  for (let i = 0; i < T; i++)
    for (let j = 0; j <= i; j++) {
      const fade = math.pow(decay, i - j);
      const score = fade * dot(dy[i], v[j]);
      add(made.q[i], score, k[j]);
      add(made.k[j], score, q[i]);
      add(made.v[j], fade * dot(q[i], k[j]), dy[i]);
    }
  return made;
}

const reversed = (rows: Rows): Rows => [...rows].reverse();

/** Algorithm 2: blocks with a running K^T V for the queries, and backwards with a running Q^T dY for keys and values. */
function tiledGradients({ head: { q, k, v }, dy, decay }: Problem, block: number): Gradients {
  const backwards = (a: Rows, b: Rows, c: Rows) =>
    reversed(chunkForm({ q: reversed(a), k: reversed(b), v: reversed(c) }, decay, block));
  return {
    q: chunkForm({ q: dy, k: v, v: k }, decay, block),
    k: backwards(v, dy, q),
    v: backwards(k, q, dy),
  };
}

const farthestOf = (a: Gradients, b: Gradients): number =>
  Math.max(farthest(a.q, b.q), farthest(a.k, b.k), farthest(a.v, b.v));

/** The operator in blocks: outputs and gradients [1,T,H,columns], in f64. */
function operator(problems: readonly Problem[], slopes: readonly number[]) {
  const joined = (part: (problem: Problem) => Rows): Tensor => {
    const columns = part(problems[0])[0].length;
    const values = new Float64Array(T * HEADS * columns);
    problems.forEach((problem, h) =>
      part(problem).forEach((row, t) => values.set(row, (t * HEADS + h) * columns)),
    );
    return doubles(values, 1, T, HEADS, columns);
  };
  return inDoubles(() => {
    const inputs = {
      q: joined(({ head }) => head.q),
      k: joined(({ head }) => head.k),
      v: joined(({ head }) => head.v),
    };
    const { outputs, pull } = vjp(
      (p: typeof inputs) => ({
        y: lightningAttention({ ...p, slopes: doubles(slopes, HEADS) }, { form: 'chunk' }).y,
      }),
      inputs,
    );
    return { y: outputs.y, ...pull({ y: joined(({ dy }) => dy) }) };
  });
}

/** Rows of one head of [1,T,H,columns]. */
const rowsOf = (values: Float64Array, h: number, columns: number): Rows =>
  Array.from({ length: T }, (_, t) =>
    values.subarray((t * HEADS + h) * columns, (t * HEADS + h + 1) * columns),
  );

/** Largest differences from the left product in f64: outputs and gradients of the algorithms and of the operator. */
export async function measureForms(): Promise<Measurement[]> {
  const random = new Random('tiles');
  const slopes = lightningSlopes(HEADS);
  const problems = slopes.map((slope): Problem => ({
    head: drawHead(random, T, K, V),
    dy: drawRows(random, T, V),
    decay: math.exp(-slope),
  }));
  const outputs = problems.map(({ head, decay }) => parallelForm(head, decay));
  const gradients = problems.map(leftProduct);
  const worst = (of: (problem: Problem, h: number) => number) => Math.max(...problems.map(of));
  const made = BLOCKS.flatMap((at): Measurement[] => {
    const output = (fade: boolean) =>
      worst(({ head, decay }, h) => farthest(chunkForm(head, decay, at, { fade }), outputs[h]));
    const gradient = worst((problem, h) => farthestOf(tiledGradients(problem, at), gradients[h]));
    return [
      { arm: 'tiled: outputs', at, value: output(true) },
      { arm: 'tiled: gradients', at, value: gradient },
      ...(at < T ? [{ arm: 'blocks that do not fade', at, value: output(false) }] : []),
    ];
  });
  const found = await operator(problems, slopes);
  const head = (name: string, columns: number, h: number) => rowsOf(found[name], h, columns);
  made.push(
    { arm: 'operator: outputs', value: worst((_, h) => farthest(head('y', V, h), outputs[h])) },
    {
      arm: 'operator: gradients',
      value: worst((_, h) =>
        farthestOf({ q: head('q', K, h), k: head('k', K, h), v: head('v', V, h) }, gradients[h]),
      ),
    },
  );
  return [...made, smallestOf(made, 'blocks that do not fade')];
}

/** Multiples of the block, so that every block is full. */
export const LENGTHS = [128, 256, 512, 1024];
const BLOCK = 64;
const WIDTH = 16;

/** Operations and words of one token of a head, beside the left product and tiled softmax attention. */
export function measureWork(): Measurement[] {
  const random = new Random('work');
  return LENGTHS.flatMap((at) => {
    const head = drawHead(random, at, WIDTH, WIDTH);
    const [tiled, left] = [noWork(), noWork()];
    chunkForm(head, 0.97, BLOCK, { work: tiled });
    parallelForm(head, 0.97, left);
    // As much fast memory as four blocks: those of the tiled algorithm, without its state.
    const traffic = attentionTraffic('flash-2', { tokens: at, width: WIDTH, onChip: 4 * BLOCK * WIDTH });
    return [
      { arm: 'lightning: operations', at, value: tiled.flops / at },
      { arm: 'lightning: words', at, value: tiled.words / at },
      { arm: 'left product: operations', at, value: left.flops / at },
      { arm: 'tiled attention: words', at, value: traffic / at },
    ];
  });
}
