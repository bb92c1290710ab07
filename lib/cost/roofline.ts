/** Roofline: which of two walls an operator meets, compute or memory. */
import { ArgumentError, show } from '../core/errors.js';

/** What a machine can do at most. */
export interface Machine {
  /** Floating-point operations per second. */
  flops: number;
  /** Bytes per second between memory and the processor. */
  bandwidth: number;
}

export interface RooflinePoint {
  /** Operations per byte. */
  intensity: number;
  /** Least possible time. */
  seconds: number;
  bound: 'compute' | 'memory';
}

/**
 * Least time of `flops` operations that move `bytes` bytes: max(flops / F, bytes / W).
 * Source: Williams, Waterman and Patterson 2009, Communications of the ACM 52(4), figure 1.
 */
export function roofline(cost: { flops: number; bytes: number }, machine: Machine): RooflinePoint {
  for (const [name, value] of Object.entries({
    ...cost,
    'machine.flops': machine.flops,
    bandwidth: machine.bandwidth,
  }))
    if (!(value >= 0 && value < Infinity))
      throw new ArgumentError(`roofline: ${name} must be finite and not negative, got ${show(value)}`);
  const compute = cost.flops / machine.flops;
  const transfer = cost.bytes / machine.bandwidth;
  return {
    intensity: cost.flops / cost.bytes,
    seconds: Math.max(compute, transfer),
    bound: compute >= transfer ? 'compute' : 'memory',
  };
}
