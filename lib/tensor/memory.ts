/** The memory table: what lives, where, and from which operator. */
import { dtypeBytes } from '../core/dtype.js';
import { hostMemory } from './host-memory.js';
import { liveTensors } from './tensor.js';

export interface MemoryTable {
  /** Bytes of host memory in use, pooled for reuse, and at most. */
  host: { liveBytes: number; pooledBytes: number; highWaterBytes: number; maximumBytes: number };
  /** Live tensors by maker, largest first. */
  rows: { origin: string; device: string; tensors: number; bytes: number }[];
  toString(): string;
}

/** Snapshot of live tensors grouped by the operator that made them. */
export function memory(): MemoryTable {
  const groups = new Map<string, { origin: string; device: string; tensors: number; bytes: number }>();
  for (const t of liveTensors()) {
    const key = `${t.origin}@${t.device}`;
    const row = groups.get(key) ?? { origin: t.origin, device: t.device, tensors: 0, bytes: 0 };
    row.tensors++;
    row.bytes += t.size * dtypeBytes(t.dtype);
    groups.set(key, row);
  }
  const rows = [...groups.values()].sort((a, b) => b.bytes - a.bytes);
  const { liveBytes, pooledBytes, highWaterBytes } = hostMemory.stats();
  const host = { liveBytes, pooledBytes, highWaterBytes, maximumBytes: hostMemory.maximumBytes() };
  return { host, rows, toString: () => table(rows, liveBytes) };
}

function table(rows: MemoryTable['rows'], live: number): string {
  const line = (a: string, b: string, c: string, d: string) =>
    `${a.padEnd(28)}${b.padEnd(8)}${c.padStart(8)}${d.padStart(14)}`;
  return [
    line('made by', 'device', 'tensors', 'bytes'),
    ...rows.map((r) => line(r.origin, r.device, String(r.tensors), r.bytes.toLocaleString('en'))),
    `host memory in use: ${live.toLocaleString('en')} bytes`,
  ].join('\n');
}
