/** What the dispatcher hands to a context, and what a caller's own pass holds. */
import type { Prepared } from './pipelines.js';
import type { GpuBlock } from './pool.js';

/** The part of a block one binding covers. */
export interface GpuRange {
  block: GpuBlock;
  offset: number;
  size: number;
}

/** One dispatch. */
export interface Command {
  /** Operator id, for messages. */
  operator: string;
  prepared: Prepared;
  /** In the order of the kernel's bindings; undefined for uniforms and absent inputs. */
  ranges: readonly (GpuRange | undefined)[];
  params: Record<string, number | readonly number[]>;
  groups: readonly [number, number, number];
  /** Rough operations, for deciding when to submit. */
  work: number;
}

/** Commands recorded into a caller's pass; see encodeInto. */
export interface Foreign {
  pass: GPUComputePassEncoder;
  uniforms: GPUBuffer[];
  held: GpuBlock[];
}

/** Does this adapter compute on the CPU? */
export function isSoftware(info: GPUAdapterInfo | undefined): boolean {
  if (!info) return false;
  const words = `${info.description} ${info.architecture}`;
  return Boolean(info.isFallbackAdapter) || /llvmpipe|swiftshader|software/i.test(words);
}
