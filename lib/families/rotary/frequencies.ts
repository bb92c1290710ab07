/** Frequencies of rotary embeddings and the ways they are stretched to longer texts; all in f64 on the host. */
import { ArgumentError, show } from '../../core/errors.js';
import * as math from '../../core/math.js';

/** How the frequencies of a trained model are stretched; `originalLength` is the context it was trained on. */
export type RotaryScaling =
  /** Positions divided by `factor` (position interpolation). */
  | { type: 'linear'; factor: number }
  /** base factor^(R / (R - 2)) in place of base. */
  | { type: 'ntk'; factor: number }
  /** The same with factor length / originalLength - (factor - 1) beyond the original length. */
  | { type: 'dynamic-ntk'; factor: number; originalLength: number; length: number }
  | YarnScaling
  | Llama3Scaling
  /** The first `rotated` features turn with the frequencies of all of them, divided by `factor`; the others stay. */
  | { type: 'proportional'; factor: number; rotated: number }
  /** Each frequency divided by its own factor: the short or the long list of a checkpoint. */
  | {
      type: 'longrope';
      factors: readonly number[];
      factor: number;
      originalLength: number;
      attentionFactor?: number;
    };

/** Interpolation of slow frequencies, none of fast ones, a ramp between; counted in turns over the original length. */
export interface YarnScaling {
  type: 'yarn';
  factor: number;
  originalLength: number;
  /** Turns from which a frequency stays as it is, default 32. */
  betaFast?: number;
  /** Turns up to which it is divided by the factor, default 1. */
  betaSlow?: number;
  /** Multiplies cosines and sines, so that logits get its square; default 0.1 ln(factor) + 1. */
  attentionFactor?: number;
  /** With both: attention factor (0.1 mscale ln f + 1) / (0.1 mscaleAllDim ln f + 1). */
  mscale?: number;
  mscaleAllDim?: number;
  /** Ends of the ramp at whole indices, default true. */
  truncate?: boolean;
}

/** Interpolation of long wavelengths, none of short ones, a blend between. */
export interface Llama3Scaling {
  type: 'llama3';
  factor: number;
  originalLength: number;
  /** Default 1: wavelengths above originalLength / 1 are divided. */
  lowFrequencyFactor?: number;
  /** Default 4: wavelengths below originalLength / 4 stay. */
  highFrequencyFactor?: number;
}

export interface RotaryOptions {
  /** Default 10000. */
  base?: number;
  /** rope: base^(-2j/R). retnet: base^(-linspace(0, 1, R/2)), whose last frequency is 1/base. Default rope. */
  spacing?: 'rope' | 'retnet';
  scaling?: RotaryScaling;
}

/** R/2 frequencies in radians a position, and what cosines and sines are multiplied by. */
export interface RotaryFrequencies {
  frequencies: Float64Array;
  attentionFactor: number;
}

function positive(name: string, value: number): void {
  if (!(value > 0 && value < Infinity))
    throw new ArgumentError(`rotaryFrequencies: ${name} must be a positive number, got ${show(value)}`);
}

/** Numbers that a scaling must have and those it may have; all are positive. Other fields are checked where they are read. */
const FIELDS: Record<
  RotaryScaling['type'],
  { must: readonly string[]; may?: readonly string[]; other?: string[] }
> = {
  linear: { must: ['factor'] },
  ntk: { must: ['factor'] },
  'dynamic-ntk': { must: ['factor', 'originalLength', 'length'] },
  yarn: {
    must: ['factor', 'originalLength'],
    may: ['betaFast', 'betaSlow', 'attentionFactor', 'mscale', 'mscaleAllDim'],
    other: ['truncate'],
  },
  llama3: { must: ['factor', 'originalLength'], may: ['lowFrequencyFactor', 'highFrequencyFactor'] },
  proportional: { must: ['factor'], other: ['rotated'] },
  longrope: { must: ['factor', 'originalLength'], may: ['attentionFactor'], other: ['factors'] },
};

function onlyNames(what: string, given: object, names: readonly string[]): void {
  const unknown = Object.keys(given).find((name) => !names.includes(name));
  if (unknown !== undefined)
    throw new ArgumentError(
      `rotaryFrequencies: ${what} must hold none but ${names.join(', ')}, got ${show(unknown)}`,
    );
}

function checkScaling(scaling: RotaryScaling): void {
  const known = Object.hasOwn(FIELDS, scaling.type) ? FIELDS[scaling.type] : undefined;
  if (!known)
    throw new ArgumentError(
      `rotaryFrequencies: scaling must be one of ${Object.keys(FIELDS).join(', ')}, got ${show((scaling as { type: unknown }).type)}`,
    );
  const { must, may = [], other = [] } = known;
  onlyNames(`scaling ${scaling.type}`, scaling, ['type', ...must, ...may, ...other]);
  const values = scaling as unknown as Record<string, number>;
  for (const name of must) positive(name, values[name]);
  for (const name of may) if (values[name] !== undefined) positive(name, values[name]);
}

function plain(dims: number, base: number): Float64Array {
  return Float64Array.from({ length: dims / 2 }, (_, j) => math.pow(base, (-2 * j) / dims));
}

function spaced(dims: number, base: number): Float64Array {
  const last = Math.max(1, dims / 2 - 1);
  return Float64Array.from({ length: dims / 2 }, (_, j) => math.pow(base, -j / last));
}

/** base factor^(R / (R - 2)): the slowest frequency is divided by the factor, the fastest stays. */
function ntkBase(dims: number, base: number, factor: number): number {
  if (dims <= 2)
    throw new ArgumentError(`rotaryFrequencies: dims must be above 2 for NTK scaling, got ${dims}`);
  return base * math.pow(factor, dims / (dims - 2));
}

/** Indices between which YaRN's ramp rises. */
export function yarnRange(dims: number, base: number, scaling: YarnScaling): { low: number; high: number } {
  const { originalLength, betaFast = 32, betaSlow = 1, truncate = true } = scaling;
  const index = (turns: number) =>
    (dims * math.log(originalLength / (turns * 2 * Math.PI))) / (2 * math.log(base));
  const [low, high] = [index(betaFast), index(betaSlow)];
  return {
    low: Math.max(truncate ? Math.floor(low) : low, 0),
    high: Math.min(truncate ? Math.ceil(high) : high, dims - 1),
  };
}

function yarn(dims: number, base: number, scaling: YarnScaling): RotaryFrequencies {
  const { factor, mscale, mscaleAllDim } = scaling;
  const { low, high } = yarnRange(dims, base, scaling);
  const width = (low === high ? high + 0.001 : high) - low;
  const frequencies = plain(dims, base).map((f, j) => {
    const ramp = Math.min(1, Math.max(0, (j - low) / width));
    return f * (1 - ramp) + (f / factor) * ramp;
  });
  const gain = (m: number) => (factor <= 1 ? 1 : 0.1 * m * math.log(factor) + 1);
  const inferred = mscale && mscaleAllDim ? gain(mscale) / gain(mscaleAllDim) : gain(1);
  return { frequencies, attentionFactor: scaling.attentionFactor ?? inferred };
}

function llama3(dims: number, base: number, scaling: Llama3Scaling): RotaryFrequencies {
  const { factor, originalLength, lowFrequencyFactor: low = 1, highFrequencyFactor: high = 4 } = scaling;
  if (!(low < high))
    throw new ArgumentError(
      `rotaryFrequencies: lowFrequencyFactor must be below highFrequencyFactor ${show(high)}, got ${show(low)}`,
    );
  const frequencies = plain(dims, base).map((f) => {
    const turns = (originalLength * f) / (2 * Math.PI);
    if (turns < low) return f / factor;
    if (turns > high) return f;
    const blend = (turns - low) / (high - low);
    return ((1 - blend) * f) / factor + blend * f;
  });
  return { frequencies, attentionFactor: 1 };
}

function scaled(dims: number, base: number, scaling: RotaryScaling): RotaryFrequencies {
  checkScaling(scaling);
  const with1 = (frequencies: Float64Array): RotaryFrequencies => ({ frequencies, attentionFactor: 1 });
  switch (scaling.type) {
    case 'linear':
      return with1(plain(dims, base).map((f) => f / scaling.factor));
    case 'ntk':
      return with1(plain(dims, ntkBase(dims, base, scaling.factor)));
    case 'dynamic-ntk': {
      const { factor, originalLength, length } = scaling;
      const stretch = (factor * Math.max(length, originalLength)) / originalLength - (factor - 1);
      return with1(plain(dims, ntkBase(dims, base, stretch)));
    }
    case 'yarn':
      return yarn(dims, base, scaling);
    case 'llama3':
      return llama3(dims, base, scaling);
    case 'proportional': {
      const { factor, rotated } = scaling;
      if (!(rotated >= 0 && rotated <= dims))
        throw new ArgumentError(
          `rotaryFrequencies: rotated must lie in [0, ${dims}], the features of the table, got ${show(rotated)}`,
        );
      return with1(plain(dims, base).map((f, j) => (2 * j < rotated ? f / factor : 0)));
    }
    case 'longrope': {
      const { factors, factor, originalLength } = scaling;
      if (factors?.length !== dims / 2)
        throw new ArgumentError(
          `rotaryFrequencies: factors must hold dims / 2 = ${dims / 2} numbers, got ${show(factors?.length)}`,
        );
      for (let j = 0; j < factors.length; j++) positive(`factors[${j}]`, factors[j]);
      const inferred = factor <= 1 ? 1 : Math.sqrt(1 + math.log(factor) / math.log(originalLength));
      return {
        frequencies: plain(dims, base).map((f, j) => f / factors[j]),
        attentionFactor: scaling.attentionFactor ?? inferred,
      };
    }
  }
}

/**
 * Frequencies of R = `dims` rotated features (even; at most the head size). Position n turns pair j by n frequency_j.
 * Sources: RoPE arXiv 2104.09864; interpolation arXiv 2306.15595; YaRN arXiv 2309.00071 (NTK-aware and dynamic NTK in
 * its section 3); Llama 3 arXiv 2407.21783 as in its published code; LongRoPE arXiv 2402.13753; RetNet as torchscale.
 * @throws ArgumentError for odd dims, an unknown option or scaling, lengths and factors that are missing or not positive,
 *   spacing retnet together with a scaling
 */
export function rotaryFrequencies(dims: number, options: RotaryOptions = {}): RotaryFrequencies {
  const { base = 10000, spacing = 'rope', scaling } = options;
  if (!(Number.isInteger(dims) && dims >= 2 && dims % 2 === 0))
    throw new ArgumentError(`rotaryFrequencies: dims must be a positive even integer, got ${show(dims)}`);
  onlyNames('options', options, ['base', 'spacing', 'scaling']);
  positive('base', base);
  if (spacing !== 'rope' && spacing !== 'retnet')
    throw new ArgumentError(`rotaryFrequencies: spacing must be rope or retnet, got ${show(spacing)}`);
  if (spacing === 'retnet') {
    if (scaling)
      throw new ArgumentError(
        `rotaryFrequencies: scaling must be absent with spacing retnet, got ${show(scaling.type)}`,
      );
    return { frequencies: spaced(dims, base), attentionFactor: 1 };
  }
  return scaling ? scaled(dims, base, scaling) : { frequencies: plain(dims, base), attentionFactor: 1 };
}
