/** Peaks of processors as their makers state them: the roofs of machines the reader does not have. */
import { ArgumentError, show } from '../core/errors.js';
import type { Machine } from './roofline.js';

/** A processor of the table. */
export interface Device {
  /** Slug, for example `a100-80gb`. */
  id: string;
  name: string;
  year: number;
  /** Dense f16 or bf16 products with sums in f32, operations per second. */
  halfFlops: number;
  /** Plain f32 arithmetic, operations per second; no TF32. */
  singleFlops: number;
  /** Bytes per second between memory and the processor. */
  bandwidth: number;
  /** Bytes of memory. */
  memory: number;
  /** Bytes of on-chip memory that one workgroup can use (shared memory of a multiprocessor). */
  onChip: number;
  source: string;
}

const GIB = 2 ** 30;
const KIB = 2 ** 10;
const T = 1e12;

type Row = readonly [
  id: string,
  name: string,
  year: number,
  half: number,
  single: number,
  gigabytesPerSecond: number,
  gibibytes: number,
  onChipKib: number,
  source: string,
];

/** Figures in TFLOP/s, GB/s, GiB and KiB. */
const ROWS: readonly Row[] = [
  ['v100-32gb', 'NVIDIA V100 SXM2 32 GB', 2018, 125, 15.7, 900, 32, 96, 'NVIDIA V100 data sheet'],
  ['t4', 'NVIDIA T4', 2018, 65, 8.1, 320, 16, 64, 'NVIDIA T4 data sheet'],
  ['a100-40gb', 'NVIDIA A100 SXM4 40 GB', 2020, 312, 19.5, 1555, 40, 163, 'NVIDIA A100 data sheet'],
  ['a100-80gb', 'NVIDIA A100 SXM4 80 GB', 2020, 312, 19.5, 2039, 80, 163, 'NVIDIA A100 data sheet'],
  ['rtx-3090', 'NVIDIA GeForce RTX 3090', 2020, 71, 35.6, 936, 24, 99, 'NVIDIA GA102 white paper'],
  ['rtx-4090', 'NVIDIA GeForce RTX 4090', 2022, 165.2, 82.6, 1008, 24, 99, 'NVIDIA Ada white paper'],
  ['l4', 'NVIDIA L4', 2023, 121, 30.3, 300, 24, 99, 'NVIDIA L4 data sheet'],
  ['h100-sxm', 'NVIDIA H100 SXM5 80 GB', 2022, 989.4, 66.9, 3350, 80, 227, 'NVIDIA H100 white paper'],
  // Its data sheet gives the same processor's peaks rounded, and products with sparsity (1,979).
  ['h200-sxm', 'NVIDIA H200 SXM 141 GB', 2023, 989.4, 66.9, 4800, 141, 227, 'NVIDIA H200 data sheet'],
  ['mi250x', 'AMD Instinct MI250X', 2021, 383, 47.9, 3277, 128, 64, 'AMD MI250X data sheet'],
  ['mi300x', 'AMD Instinct MI300X', 2023, 1307.4, 163.4, 5300, 192, 64, 'AMD MI300X data sheet'],
  // Apple states no f16 peak; measurements by others find the rate of f32 on these (A14 and later designs).
  ['m1', 'Apple M1, 8-core GPU', 2020, 2.6, 2.6, 68, 16, 32, 'Apple M1 announcement'],
  ['m1-max', 'Apple M1 Max, 32-core GPU', 2021, 10.4, 10.4, 400, 64, 32, 'Apple M1 Max announcement'],
  ['m2-ultra', 'Apple M2 Ultra, 76-core GPU', 2023, 27.2, 27.2, 800, 192, 32, 'Apple M2 Ultra announcement'],
];

/** The table. Peaks of data sheets are not reached in practice: treat what follows from them as lower bounds of time. */
export const DEVICES: readonly Device[] = ROWS.map(
  ([id, name, year, half, single, gigabytes, gibibytes, onChipKib, source]) => ({
    id,
    name,
    year,
    halfFlops: half * T,
    singleFlops: single * T,
    bandwidth: gigabytes * 1e9,
    memory: gibibytes * GIB,
    onChip: onChipKib * KIB,
    source,
  }),
);

/** A device by its slug. @throws ArgumentError that lists the slugs */
export function deviceOf(id: string): Device {
  const found = DEVICES.find((device) => device.id === id);
  if (!found)
    throw new ArgumentError(
      `deviceOf: id must be one of ${DEVICES.map((d) => d.id).join(', ')}, got ${show(id)}`,
    );
  return found;
}

/** The roofs of a device for one kind of arithmetic. */
export function machineOf(device: Device, arithmetic: 'half' | 'single' = 'half'): Machine {
  return {
    flops: arithmetic === 'half' ? device.halfFlops : device.singleFlops,
    bandwidth: device.bandwidth,
  };
}
