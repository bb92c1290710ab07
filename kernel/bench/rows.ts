/** One timed row, as JSON and as a line. */
import type { Timing } from './measure.js';

export interface BenchRow extends Timing {
  op: string;
  form: string;
  /** cpu, wasm or webgpu; 'other' for an opponent. */
  backend: string;
  threads: number;
  direction: string;
  dims: Record<string, number>;
  dtype: 'f32';
  flops: number;
  bytes: number;
  /** Another program. */
  opponent?: string;
  /** Bandwidth over that of a copy on the same backend and threads in the same run. */
  copyShare?: number;
  /** The adapter computes on the processor: its times say nothing about a GPU. */
  software?: boolean;
  /** Not timed by itself: forward+backward minus forward, sample by sample. */
  derived?: boolean;
}

/** A number without the noise of its last digits. */
export const figure = (value: number, digits = 3): string =>
  value === 0 || !Number.isFinite(value)
    ? String(value)
    : value >= 100
      ? value.toFixed(0)
      : String(Number(value.toPrecision(digits)));

export const sizes = (dims: Record<string, number>): string =>
  Object.entries(dims)
    .map(([name, value]) => `${name}${value}`)
    .join(' ');

/** 'wasm recurrent x2', or the other program's name. */
export function series(
  row: Pick<BenchRow, 'opponent' | 'backend' | 'form' | 'threads' | 'software'>,
): string {
  const name = row.opponent ?? `${row.backend}${row.software ? ' (software)' : ''} ${row.form}`;
  return row.threads > 1 ? `${name} x${row.threads}` : name;
}

const gigaflops = (row: BenchRow): number => row.flops / row.medianMs / 1e6;
export const gigabytes = (row: BenchRow): number => row.bytes / row.medianMs / 1e6;

export function line(row: BenchRow): string {
  const who = row.opponent ?? `${row.form} ${row.backend}${row.software ? ' (software)' : ''}`;
  const name = `${row.op} ${who} x${row.threads} ${row.direction}`;
  const rate = row.flops > 0 ? `${gigaflops(row).toFixed(2)} GFLOP/s` : '';
  const share = row.copyShare === undefined ? '' : `  ${(100 * row.copyShare).toFixed(1)} % of a copy`;
  const spread = `[${row.q1Ms.toFixed(3)}, ${row.q3Ms.toFixed(3)}]`;
  const time = `${row.medianMs.toFixed(3).padStart(10)} ms ${spread}`;
  return `${name.padEnd(56)} ${sizes(row.dims).padEnd(34)} ${time}  ${rate}  ${gigabytes(row).toFixed(2)} GB/s${share}`;
}
