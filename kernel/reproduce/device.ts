/** The machine a run was made on, without names of host or user. */
import { availableParallelism, cpus, totalmem } from 'node:os';
import type { DeviceCard } from '../../lib/papers/index.js';

/** Facts of this machine; `adapter` is the GPU that was used, if one was. */
export function deviceCard(adapter?: string): DeviceCard {
  const cores = availableParallelism();
  const slug = adapter ? adapterSlug(adapter) : `${process.platform}-${process.arch}-${cores}c`;
  return {
    slug,
    platform: process.platform,
    arch: process.arch,
    cpu: cpus()[0]?.model.replace(/\s+/g, ' ').trim() || 'unknown',
    cores,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    runtime: `Node ${process.versions.node}`,
    ...(adapter ? { adapter } : {}),
  };
}

/** "NVIDIA H200" -> "nvidia-h200", at most 40 characters of a-z, 0-9 and -. */
export function adapterSlug(adapter: string): string {
  const words = adapter.toLowerCase().replace(/[^a-z0-9]+/g, '-');
  return words.slice(0, 40).replace(/^-+|-+$/g, '') || 'gpu';
}
