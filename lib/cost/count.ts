/** Operations, bytes moved and bytes kept, counted from what runs: the records' formulas over the calls that happen. */
import { hostMemory } from '../tensor/host-memory.js';
import { memory } from '../tensor/memory.js';
import { observeCalls, operator, type Params } from '../tensor/operator.js';
import type { Dims } from '../core/shape.js';

/** Calls of one operator. */
export interface OperatorCost {
  op: string;
  calls: number;
  flops: number;
  /** Bytes read and written at least. */
  bytes: number;
}

/** What a function cost, by operator, largest first. */
export interface Cost {
  flops: number;
  bytes: number;
  operators: OperatorCost[];
}

/**
 * Counts the floating-point operations and bytes of everything `run` calls, by the formulas of the operator records
 * (`flops`, `bytes`) at the sizes that occurred. Backward passes are not seen, as they call kernels, not operators.
 */
export function countCost<T>(run: () => T): { cost: Cost; result: T } {
  const rows = new Map<string, OperatorCost>();
  const result = observeCalls((op, dims, params) => {
    const row = rows.get(op.id) ?? { op: op.id, calls: 0, flops: 0, bytes: 0 };
    row.calls += 1;
    row.flops += op.flops(dims, params);
    row.bytes += op.bytes(dims, params);
    rows.set(op.id, row);
  }, run);
  const operators = [...rows.values()].sort((a, b) => b.flops - a.flops);
  const total = (key: 'flops' | 'bytes') => operators.reduce((sum, row) => sum + row[key], 0);
  return { cost: { flops: total('flops'), bytes: total('bytes'), operators }, result };
}

/** Cost of one call of an operator, from its record alone. */
export function operatorCost(id: string, dims: Dims, params: Params = {}): { flops: number; bytes: number } {
  const { record } = operator(id);
  return { flops: record.flops(dims, params), bytes: record.bytes(dims, params) };
}

/** Bytes of all live tensors, on every device. */
export function liveBytes(): number {
  return memory().rows.reduce((sum, row) => sum + row.bytes, 0);
}

/**
 * Bytes of tensors that exist after `make` and did not before: what it hands over and whatever it keeps inside.
 * `make` must be synchronous, so that nothing else can allocate or free meanwhile.
 */
export function bytesKept<T>(make: () => T): { bytes: number; result: T } {
  const before = liveBytes();
  const result = make();
  return { bytes: liveBytes() - before, result };
}

/**
 * Bytes of host memory that `run` takes at most on the way, its result and temporaries included, in the size classes of
 * the pool (powers of two above small sizes). `run` must be synchronous.
 */
export function peakBytes<T>(run: () => T): { bytes: number; result: T } {
  return hostMemory.peakDuring(run);
}
