/** What `assay bench --sweep` sweeps: operators, their sizes, and the programs beside them. */
import type { Dims } from '../../lib/core/shape.js';
import type { Params } from '../../lib/tensor/operator.js';
import type { TorchProgram } from './opponents/torch.js';

/** One operator over growing sequences. */
export interface Sweep {
  op: string;
  /** Everything but T. */
  shapes: readonly Dims[];
  /** Sizes of single steps. */
  steps: readonly Dims[];
  params?: Params;
  /** Optional inputs that are handed over. */
  with?: readonly string[];
  /** Dims that grow with T, for operators that have other names for time. */
  lengths?: readonly string[];
  /** The form `step` over growing caches, instead of the other forms over sequences. */
  decode?: boolean;
  /** Programs beside it: scripts in `opponents/`. */
  opponents?: { c?: string; torch?: TorchProgram & { script: string } };
}

const N = 16;
const HEAD = { K: 64, V: 64 };
const MANY = { B: 1, H: 8, ...HEAD };
const FEW = { B: 4, H: 2, ...HEAD };
const HEADS = ['B', 'T', 'H', 'K', 'V'];

/** Steps of a matrix state for one user and for many. */
const headSteps = (extra: Dims = {}): Dims[] => [1, 16].map((B) => ({ B, T: 1, H: 8, ...extra, ...HEAD }));

const mixer = (name: string, forms: readonly string[], sizes: readonly string[] = HEADS) => ({
  torch: { script: 'sequence_mixers.py', args: [name], forms, sizes },
});

const attentionShapes = [
  { B: 1, H: 8, Hkv: 8, ...HEAD },
  { B: 1, H: 8, Hkv: 2, ...HEAD },
];
const ATTENTION_SIZES = ['B', 'T', 'H', 'Hkv', 'K', 'V'];

/** A family whose work is that of a kernel group: beside the same programs, at one shape. */
const family = (op: string, program: Sweep['opponents'], extra: Dims = {}): Sweep => ({
  op,
  shapes: [{ ...MANY, ...extra }],
  steps: headSteps(extra),
  opponents: program,
});
const SCALAR = mixer('scalar-decay', ['chunk', 'loop']);
const DIAGONAL = mixer('diagonal-decay', ['chunk', 'bounded', 'loop']);
const DELTA = mixer('delta-rule', ['chunk', 'loop']);
const DPLR = mixer('dplr', ['chunk', 'loop']);
const RECURRENCE = mixer('linear-recurrence', ['doubling', 'loop'], ['B', 'T', 'D']);
const SSD = { B: 1, H: 8, P: 64, G: 1, N: 64 };

/** Families over the kernel groups: what their own work adds shows in the difference. */
const FAMILIES: readonly Sweep[] = [
  ...['retention', 'lightning-attention', 'simple-gated-linear-attention'].map((op) => family(op, SCALAR)),
  family('linear-attention', SCALAR, { G: 8 }),
  { op: 'ssd', shapes: [SSD], steps: [{ ...SSD, T: 1 }] },
  ...['gated-linear-attention', 'hgrn2', 'rwkv/wkv5', 'rwkv/wkv6'].map((op) => family(op, DIAGONAL)),
  ...['delta-net', 'gated-delta-net'].map((op) => family(op, DELTA, { G: 8 })),
  family('rwkv/wkv7', DPLR),
  { op: 'hgrn', shapes: [{ B: 1, D: 512 }], steps: [{ B: 1, T: 1, D: 512 }], opponents: RECURRENCE },
  { op: 'long-convolution', shapes: [{ B: 1, D: 64 }], steps: [], lengths: ['T', 'W'] },
];

export const SWEEPS: readonly Sweep[] = [
  {
    op: 'selective-scan',
    shapes: [
      { B: 1, D: 64, N, G: 1 },
      { B: 1, D: 256, N, G: 1 },
      { B: 1, D: 1536, N, G: 1 },
      { B: 8, D: 256, N, G: 1 },
    ],
    steps: [1, 8, 64].flatMap((B) => [256, 1536].map((D) => ({ B, T: 1, D, N, G: 1 }))),
    opponents: {
      c: 'selective-scan.c',
      torch: { script: 'selective_scan.py', forms: ['loop', 'published'], sizes: ['B', 'T', 'D', 'N'] },
    },
  },
  {
    op: 'ops/scalar-decay',
    shapes: [MANY, FEW].map((shape) => ({ ...shape, G: shape.H })),
    steps: headSteps({ G: 8 }),
    with: ['decay'],
    opponents: SCALAR,
  },
  {
    op: 'ops/diagonal-decay',
    shapes: [MANY, FEW],
    steps: headSteps(),
    opponents: DIAGONAL,
  },
  {
    op: 'ops/delta-rule',
    shapes: [MANY, FEW].map((shape) => ({ ...shape, G: shape.H })),
    steps: headSteps({ G: 8 }),
    with: ['decay'],
    opponents: DELTA,
  },
  {
    op: 'ops/dplr',
    shapes: [MANY, FEW],
    steps: headSteps(),
    opponents: DPLR,
  },
  {
    op: 'ops/associative-scan',
    shapes: [
      { B: 1, D: 512 },
      { B: 8, D: 256 },
    ],
    steps: [],
    opponents: RECURRENCE,
  },
  {
    op: 'rwkv/wkv4',
    shapes: [
      { B: 1, D: 512 },
      { B: 8, D: 256 },
    ],
    steps: [1, 16].map((B) => ({ B, T: 1, D: 512 })),
    opponents: mixer('wkv4', ['loop'], ['B', 'T', 'D']),
  },
  {
    op: 'softmax-attention',
    shapes: attentionShapes,
    steps: [],
    lengths: ['Tq', 'Tk'],
    opponents: mixer('softmax-attention', ['sdpa', 'plain'], ATTENTION_SIZES),
  },
  {
    op: 'softmax-attention',
    shapes: attentionShapes.map((shape) => ({ ...shape, Tq: 1 })),
    steps: [],
    lengths: ['Tk'],
    decode: true,
    opponents: mixer('decode', ['sdpa', 'plain'], ATTENTION_SIZES),
  },
  ...FAMILIES,
];

/** Dims of the problem at a length. */
export function dimsAt(sweep: Sweep, shape: Dims, T: number): Dims {
  const lengths = Object.fromEntries((sweep.lengths ?? ['T']).map((name) => [name, T]));
  return { ...(shape.B === undefined ? {} : { B: shape.B }), T, ...lengths, ...shape };
}
