/** Bytes as a data set for language models: contiguous split, random training batches, covering validation windows. */
import { sha256 } from '@noble/hashes/sha2.js';
import { bytesToHex } from '@noble/hashes/utils.js';
import { ArgumentError } from '../core/errors.js';
import type { Random } from '../core/random.js';
import { entropyRate, generateText, idealCode } from './entropy-source.js';
import { findData, type LoadOptions } from './manifest.js';
import { readBytes } from './files.js';

const LN2 = 0.6931471805599453;

/** Cross-entropy in nats per byte as bits per byte. */
export function bitsPerByte(nats: number): number {
  return nats / LN2;
}

/** Inputs and the bytes that follow them, both `[B, T]` row-major, values 0..255. */
export interface ByteBatch {
  inputs: Int32Array;
  targets: Int32Array;
}

/** A validation window; its first `skip` targets were scored by the window before and must not count again. */
export interface ByteWindow extends ByteBatch {
  skip: number;
}

/** A text as bytes with a contiguous split: the first part trains, the rest validates. */
export class ByteDataset {
  /** Index of the first validation byte. */
  readonly split: number;

  constructor(
    readonly name: string,
    readonly bytes: Uint8Array,
    trainFraction = 0.9,
  ) {
    if (!(trainFraction > 0 && trainFraction < 1)) {
      throw new ArgumentError(`ByteDataset: trainFraction must lie between 0 and 1, got ${trainFraction}`);
    }
    this.split = Math.floor(bytes.length * trainFraction);
    if (this.split < 2 || this.split >= bytes.length) {
      throw new ArgumentError(`ByteDataset: bytes must be long enough to split, got ${bytes.length} bytes`);
    }
  }

  get train(): Uint8Array {
    return this.bytes.subarray(0, this.split);
  }

  get validation(): Uint8Array {
    return this.bytes.subarray(this.split);
  }

  /** B windows of T bytes at random places of the training part, with the bytes that follow. */
  batch(random: Random, B: number, T: number): ByteBatch {
    requireCount('ByteDataset.batch: B', B);
    requireCount('ByteDataset.batch: T', T);
    const places = this.split - T;
    if (places < 1) {
      throw new ArgumentError(
        `ByteDataset.batch: T must be below the length of the training part, ${this.split}, got ${T}`,
      );
    }
    const inputs = new Int32Array(B * T);
    const targets = new Int32Array(B * T);
    for (let b = 0; b < B; b++) {
      const start = random.int(places);
      inputs.set(this.bytes.subarray(start, start + T), b * T);
      targets.set(this.bytes.subarray(start + 1, start + T + 1), b * T);
    }
    return { inputs, targets };
  }

  /**
   * Windows of T bytes whose targets cover each of the first `limit` validation bytes exactly once (default: all). The
   * first input is the last training byte; the last window ends with the part and skips what is already scored.
   */
  validationWindows(T: number, limit = this.bytes.length - this.split): ByteWindow[] {
    requireCount('ByteDataset.validationWindows: T', T);
    requireCount('ByteDataset.validationWindows: limit', limit);
    const end = Math.min(this.split + limit, this.bytes.length);
    if (end - this.split < T) {
      throw new ArgumentError(
        `ByteDataset.validationWindows: T must be at most the bytes scored, ${end - this.split}, got ${T}`,
      );
    }
    const windows: ByteWindow[] = [];
    for (let scored = this.split; scored < end; scored += T) {
      const start = Math.min(scored, end - T);
      windows.push({
        inputs: Int32Array.from(this.bytes.subarray(start - 1, start - 1 + T)),
        targets: Int32Array.from(this.bytes.subarray(start, start + T)),
        skip: scored - start,
      });
    }
    return windows;
  }
}

function requireCount(what: string, value: number): void {
  if (!Number.isInteger(value) || value < 1) {
    throw new ArgumentError(`${what} must be a positive integer, got ${value}`);
  }
}

/** The text an experiment trains on. */
export interface TrainingText {
  dataset: ByteDataset;
  /** sha256 of all bytes, for the run file. */
  sha256: string;
  /** Where it came from, in one sentence. */
  note: string;
  /** Floor of the validation part in bits per byte, known for generated text only: what the ideal coder spends there. */
  floor?: number;
  /** Exact entropy rate of the source in bits per byte, for generated text only. */
  entropyRate?: number;
}

/** The seed of the generated text of `openTrainingText`. */
export const GENERATED_SEED = 1;

/**
 * Tiny Shakespeare where it is on this machine (mirror or cache; a damaged file is an error), else 1 MB of generated
 * text of known entropy rate. Never downloads.
 */
export async function openTrainingText(options: LoadOptions = {}): Promise<TrainingText> {
  const local = await findData('tiny-shakespeare', options);
  if (!local) {
    const generated = generatedText();
    const advice = 'For Tiny Shakespeare run "npx --no assay data pull tiny-shakespeare" or set ASSAY_DATA.';
    return { ...generated, note: `${generated.note} ${advice}` };
  }
  const bytes = await readBytes(local.path);
  return {
    dataset: new ByteDataset('tiny-shakespeare', bytes),
    sha256: local.manifest.sha256,
    note: `Tiny Shakespeare, ${bytes.length} bytes, from the ${local.from}.`,
  };
}

/** The generated text as a training text with its floor. */
export function generatedText(seed: number | string = GENERATED_SEED, length = 1_000_000): TrainingText {
  const bytes = generateText(seed, length);
  const dataset = new ByteDataset('generated', bytes);
  const ideal = idealCode(bytes, dataset.split);
  const rate = entropyRate().bitsPerByte;
  return {
    dataset,
    sha256: bytesToHex(sha256(bytes)),
    note: `Generated text, ${length} bytes, seed ${seed}, entropy rate ${rate.toFixed(4)} bits per byte.`,
    floor: ideal.bits / ideal.bytes,
    entropyRate: rate,
  };
}
