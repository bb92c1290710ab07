/** What the grid of tiny byte models trains at each size. */
import type { TransformerConfig } from '../../nn/index.js';
import type { Size } from '../ledger/types.js';

/** One place of the grid. */
export interface Place {
  width: number;
  /** Bytes trained on, each once. */
  bytes: number;
}

/** A grid and, hidden from the fit, one larger training. */
export interface GridPlan {
  widths: readonly number[];
  bytes: readonly number[];
  hidden: Place;
  /** Windows scored; of each its second half. */
  windows: number;
}

/** Bytes of a window and windows of a step. */
export const TIME = 64;
export const BATCH = 8;
export const LAYERS = 2;
/** All bytes of the generated text are below. */
export const VOCABULARY = 128;

const KIB = 1024;

const PLANS: Record<Size, GridPlan> = {
  smoke: {
    widths: [8, 12, 16],
    bytes: [4, 8, 16].map((n) => n * KIB),
    hidden: { width: 24, bytes: 24 * KIB },
    windows: 16,
  },
  lesson: {
    widths: [8, 12, 16, 24, 32],
    bytes: [256, 512, 1024, 2048].map((n) => n * KIB),
    hidden: { width: 48, bytes: 3072 * KIB },
    windows: 1024,
  },
  full: {
    widths: [8, 12, 16, 24, 32, 48, 64],
    bytes: [256, 512, 1024, 2048, 4096, 8192].map((n) => n * KIB),
    hidden: { width: 96, bytes: 12288 * KIB },
    windows: 4096,
  },
};

export const gridPlan = (size: Size): GridPlan => PLANS[size];

/** The model of a width. */
export function gridModel(
  width: number,
): { kind: 'transformer'; layers: number; vocabulary: number } & TransformerConfig {
  return { kind: 'transformer', layers: LAYERS, vocabulary: VOCABULARY, width, heads: 1 };
}

/** Parameters of embedding and head. */
export const embeddingParameters = (width: number): number => 2 * VOCABULARY * width;

/** One rule for all: the peak falls with the width. */
export const peakRate = (width: number): number => Math.min(0.02, 0.32 / width);

/** Steps of linear warm-up. */
export const warmupOf = (steps: number): number => Math.max(1, Math.round(steps / 20));

/** Places of the grid, the longest training first. */
export function placesOf({ widths, bytes }: GridPlan): Place[] {
  const places = widths.flatMap((width) => bytes.map((count) => ({ width, bytes: count })));
  return places.sort((a, b) => b.width * b.bytes - a.width * a.bytes);
}
