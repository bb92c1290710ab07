/** What `assay bench` measures: operators at fixed sizes, and whole training steps. */
import type { BackendName, Form } from '../../lib/tensor/backend.js';
import type { Dims } from '../../lib/core/shape.js';
import type { Params } from '../../lib/tensor/operator.js';

/** One row of an operator suite. `shapes` name the inputs that the record's patterns leave open. */
export interface OperatorRow {
  op: string;
  form: Form;
  dims: Dims;
  params?: Params;
  shapes?: Record<string, readonly number[]>;
  /** Optional inputs that are handed over. */
  with?: readonly string[];
  directions: readonly ('forward' | 'forward+backward' | 'step')[];
  /** Name of the direction in reports, where it differs. */
  label?: string;
  backends: readonly BackendName[];
}

const HOST: readonly BackendName[] = ['cpu', 'wasm'];
const SEQUENCE = [256, 512, 1024, 2048, 4096];
const HEADS = 8;
const HEAD_DIM = 64;

/** Inputs of the peers' scan: u, delta, A, B, C only. */
function scan(dims: Dims, backends: readonly BackendName[]): OperatorRow {
  return {
    op: 'selective-scan',
    form: 'recurrent',
    dims: { ...dims, G: 1 },
    directions: ['forward', 'forward+backward'],
    backends,
  };
}

/** Rows of every operator suite; the filter picks. */
export function operatorRows(): OperatorRow[] {
  const matmul = [256, 512, 1024].map((n): OperatorRow => ({
    op: 'ops/matmul',
    form: 'parallel',
    dims: { M: n, N: n, K: n },
    shapes: { a: [n, n], b: [n, n] },
    directions: ['forward'],
    backends: ['wasm', 'webgpu'],
  }));
  const sweep = SEQUENCE.map((T) => scan({ B: 1, T, D: 256, N: 16 }, ['wasm', 'webgpu']));
  const step: OperatorRow = {
    op: 'selective-scan',
    form: 'step',
    dims: { B: 1, T: 1, D: 1536, N: 16, G: 1 },
    directions: ['step'],
    backends: ['wasm', 'webgpu'],
  };
  const attention = SEQUENCE.flatMap((T): OperatorRow[] => {
    const sizes = { B: 1, H: HEADS, Hkv: HEADS, K: HEAD_DIM, V: HEAD_DIM };
    return [
      {
        op: 'softmax-attention',
        form: 'chunk',
        dims: { ...sizes, Tq: T, Tk: T },
        directions: ['forward'],
        backends: ['wasm', 'webgpu'],
      },
      {
        op: 'softmax-attention',
        form: 'step',
        dims: { ...sizes, Tq: 1, Tk: T },
        directions: ['forward'],
        label: 'decode',
        backends: ['wasm'],
      },
    ];
  });
  return [...matmul, scan({ B: 1, T: 2048, D: 1536, N: 16 }, HOST), ...sweep, step, ...attention];
}
