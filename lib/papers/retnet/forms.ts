/** One function in three representations, its normalisations, and the operations each representation takes. */
import * as math from '../../core/math.js';
import { Random } from '../../core/random.js';
import { retention, retentionLogGammas } from '../../families/retention/index.js';
import {
  chunkForm,
  drawHead,
  farthest,
  noWork,
  parallelForm,
  recurrentForm,
  smallestOf,
  type DecayHead,
  type Rows,
} from '../decay-forms.js';
import { doubles, inDoubles } from '../host-doubles.js';
import type { Measurement } from '../ledger/types.js';

const [T, HEADS, K, V] = [96, 4, 8, 12];
/** Tokens of a chunk; the last chunk of some does not fill. */
export const CHUNKS = [1, 7, 16, 96];

const gammas = (): number[] => retentionLogGammas(HEADS).map(math.exp);
const heads = (name: string): DecayHead[] => {
  const random = new Random(name);
  return Array.from({ length: HEADS }, () => drawHead(random, T, K, V));
};

/** [1,T,H,columns] of one part of all heads. */
function joined(all: readonly DecayHead[], part: keyof DecayHead, factor = 1) {
  const columns = all[0][part][0].length;
  const values = new Float64Array(T * HEADS * columns);
  all.forEach((head, h) =>
    head[part].forEach((row, t) =>
      values.set(
        row.map((x) => factor * x),
        (t * HEADS + h) * columns,
      ),
    ),
  );
  return doubles(values, 1, T, HEADS, columns);
}

/** Rows of one head of [1,T,H,V]. */
const rowsOf = (values: Float64Array, h: number): Rows =>
  Array.from({ length: T }, (_, t) => values.subarray((t * HEADS + h) * V, (t * HEADS + h + 1) * V));

/** Outputs of the operator by form, in f64. */
function operator(all: readonly DecayHead[], normalize: 'none' | 'retnet', small = 1) {
  return inDoubles(() => {
    const inputs = { q: joined(all, 'q', small), k: joined(all, 'k', small), v: joined(all, 'v') };
    const decay = doubles(retentionLogGammas(HEADS), HEADS);
    const of = (form: 'recurrent' | 'chunk' | 'parallel') =>
      retention({ ...inputs, decay }, { form, normalize }).y;
    return { recurrent: of('recurrent'), chunk: of('chunk'), parallel: of('parallel') };
  });
}

/** Largest differences from equation 5 in f64: loops of equations 6 and 7, the operator, and two mistakes. */
export async function measureForms(): Promise<Measurement[]> {
  const all = heads('representations');
  const factors = gammas();
  const wanted = all.map((head, h) => parallelForm(head, factors[h]));
  const worst = (of: (head: DecayHead, h: number) => Rows) =>
    Math.max(...all.map((head, h) => farthest(of(head, h), wanted[h])));
  const made: Measurement[] = [
    { arm: 'recurrent', value: worst((head, h) => recurrentForm(head, factors[h])) },
  ];
  for (const at of CHUNKS) {
    made.push({ arm: 'chunkwise', at, value: worst((head, h) => chunkForm(head, factors[h], at)) });
    if (at === T) continue;
    const unfaded = worst((head, h) => chunkForm(head, factors[h], at, { fade: false }));
    made.push({ arm: 'chunks that do not fade', at, value: unfaded });
  }
  const other = (head: DecayHead, h: number) => recurrentForm(head, factors[(h + 1) % HEADS]);
  made.push({ arm: 'recurrent, gamma of the next head', value: worst(other) });
  for (const [form, values] of Object.entries(await operator(all, 'none')))
    made.push({ arm: `operator: ${form}`, value: worst((_, h) => rowsOf(values, h)) });
  return [...made, smallestOf(made, 'chunks that do not fade')];
}

/** (x - mean) / sqrt(variance + eps) of every row: GroupNorm with one group a head. */
function normalised(rows: Rows, eps: number): Rows {
  return rows.map((row) => {
    const mean = row.reduce((a, b) => a + b) / row.length;
    const variance = row.reduce((sum, x) => sum + (x - mean) ** 2, 0) / row.length;
    return row.map((x) => (x - mean) / Math.sqrt(variance + eps));
  });
}

/** Differences after the norm over heads between outputs with and without the score normalisations, by its eps. */
export async function measureNormalisation(): Promise<Measurement[]> {
  // Small queries and keys as at the start of a training, where eps is not small beside the outputs.
  const all = heads('score normalisation');
  const [plain, divided] = [await operator(all, 'none', 0.1), await operator(all, 'retnet', 0.1)];
  const apart = (eps: number) =>
    Math.max(
      ...all.map((_, h) =>
        farthest(normalised(rowsOf(plain.parallel, h), eps), normalised(rowsOf(divided.parallel, h), eps)),
      ),
    );
  const unlike = Math.max(
    ...all.map((_, h) => farthest(rowsOf(plain.parallel, h), rowsOf(divided.parallel, h))),
  );
  return [
    { arm: 'eps = 0', value: apart(0) },
    { arm: 'eps = 1e-5', value: apart(1e-5) },
    { arm: 'before the norm', value: unlike },
  ];
}

export const LENGTHS = [128, 256, 512, 1024];

/** Operations of one head by the loops of the three representations, chunks of 64 tokens. */
export function measureOperations(): Measurement[] {
  const random = new Random('operations');
  return LENGTHS.flatMap((at) => {
    const head = drawHead(random, at, 16, 16);
    const count = (run: (work: ReturnType<typeof noWork>) => Rows) => {
      const work = noWork();
      run(work);
      return work.flops;
    };
    return [
      { arm: 'parallel', at, value: count((work) => parallelForm(head, 0.97, work)) },
      { arm: 'chunkwise', at, value: count((work) => chunkForm(head, 0.97, 64, { work })) },
      { arm: 'recurrent', at, value: count((work) => recurrentForm(head, 0.97, work)) },
    ];
  });
}
