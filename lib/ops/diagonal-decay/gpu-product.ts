/** Products of the matrices of every chunk and head on the GPU, by one kernel. */
import { dispatch, floatType } from '../../gpu/dispatch.js';
import type { Call } from '../../tensor/operator.js';
import type { Tensor } from '../../tensor/tensor.js';
import type { Slots } from '../sequence/gpu.js';

/** A matrix for every chunk and head: where it starts, and the elements between rows and between columns. */
export interface Operand {
  tensor: Tensor;
  /** Elements a chunk, a token before the chunk, a head; 0 when absent. */
  slot?: number;
  begin?: number;
  head: number;
  row: number;
  column: number;
}

type Extent = number | 'tokens';

export interface Product {
  m: Extent;
  n: Extent;
  depth: Extent;
  left: Operand;
  right: Operand;
  /** A second product that is added; both operands f32 with columns side by side. */
  more?: { depth: number; left: Operand; right: Operand };
  /** Columns side by side. */
  to: Operand;
  /** 64 x 64 with zeros above the diagonal, and its transpose behind. */
  lower?: boolean;
}

const TILE = 64;
const count = (extent: Extent) => (extent === 'tokens' ? TILE : extent);
const fixed = (extent: Extent) => (extent === 'tokens' ? 0 : extent);
const flag = (extent: Extent) => (extent === 'tokens' ? 1 : 0);

/** to = left right (+ more), once for every chunk and head. */
export function product(call: Call, slots: Slots, p: Product): void {
  const where = call.op.id;
  const heads = call.dims.H;
  const tiles = { m: Math.ceil(count(p.m) / TILE), n: Math.ceil(count(p.n) / TILE) };
  const rows = slots.count * heads * tiles.m * tiles.n;
  const { left, right, more, to } = p;
  dispatch({
    where,
    kernel: 'ops/diagonal-decay/product',
    defs: {
      A: floatType(where, left.tensor),
      B: floatType(where, right.tensor),
      Y: floatType(where, to.tensor),
    },
    overrides: { LOWER: p.lower ? 1 : 0 },
    tensors: {
      slots: slots.table,
      a: left.tensor,
      b: right.tensor,
      c: more?.left.tensor,
      e: more?.right.tensor,
      y: to.tensor,
    },
    params: {
      ...{ rows, heads, tiles_m: tiles.m, tiles_n: tiles.n },
      ...{ m: fixed(p.m), n: fixed(p.n), d: fixed(p.depth), d2: more?.depth ?? 0 },
      ...{ tokens_m: flag(p.m), tokens_n: flag(p.n), tokens_d: flag(p.depth) },
      ...{ a_slot: left.slot ?? 0, a_begin: left.begin ?? 0, a_head: left.head },
      ...{ a_m: left.row, a_d: left.column },
      ...{ b_slot: right.slot ?? 0, b_begin: right.begin ?? 0, b_head: right.head },
      ...{ b_d: right.row, b_n: right.column },
      ...{ c_begin: more?.left.begin ?? 0, c_head: more?.left.head ?? 0, c_m: more?.left.row ?? 0 },
      ...{ e_slot: more?.right.slot ?? 0, e_head: more?.right.head ?? 0, e_d: more?.right.row ?? 0 },
      ...{ y_slot: to.slot ?? 0, y_begin: to.begin ?? 0, y_head: to.head, y_m: to.row },
    },
    rows,
    work: 2 * rows * TILE * TILE * (count(p.depth) + (more?.depth ?? 0)),
  });
}
