/** Capacity of an expert by the conventions of the libraries that have one. */
import { ArgumentError, show } from '../../core/errors.js';

export const CAPACITY_CONVENTIONS = [
  'switch',
  'mesh',
  'st-moe',
  'flaxformer',
  'gshard',
  'tutel',
  'megablocks',
  'megatron',
  'expert-choice',
] as const;

export type CapacityConvention = (typeof CAPACITY_CONVENTIONS)[number];

export interface CapacityOptions {
  /** T, the tokens that compete: real ones, of one group where a library groups. */
  tokens: number;
  /** E. */
  experts: number;
  /** Experts a token, 1 by default. Ignored where the convention does: see there. */
  k?: number;
  /** Capacity factor cf. */
  factor: number;
  convention: CapacityConvention;
  /** Least capacity; the convention's own when absent (4 for mesh, st-moe and flaxformer, else 1). */
  minimum?: number;
  /** tutel: the capacity is rounded up to a multiple, 1 by default. */
  alignment?: number;
  /** tutel and megablocks: largest number of choices any expert got, for factors that ask for it (0 and, tutel, below). */
  largestLoad?: number;
}

/** Conventions with a least capacity of 4. */
const LEAST = new Set<CapacityConvention>(['mesh', 'st-moe', 'flaxformer']);

/** Half to even, as Python's round. */
function roundEven(x: number): number {
  const low = Math.floor(x);
  const rest = x - low;
  return rest < 0.5 || (rest === 0.5 && low % 2 === 0) ? low : low + 1;
}

const RULES: Record<CapacityConvention, (o: Required<CapacityOptions>) => number> = {
  switch: ({ tokens: T, experts: E, factor }) => Math.floor((T / E) * factor),
  mesh: ({ tokens: T, experts: E, factor }) => Math.min(T, Math.trunc((T * factor) / E)),
  'st-moe': ({ tokens: T, experts: E, factor }) => Math.min(T, Math.trunc((T * factor) / E)),
  flaxformer: ({ tokens: T, experts: E, factor }) => roundEven((factor * T) / E),
  gshard: ({ tokens: T, experts: E, k, factor }) => Math.floor((k * factor * T) / E),
  tutel: tutel,
  megablocks: ({ tokens: T, experts: E, k, factor, largestLoad }) =>
    factor === 0 ? largestLoad : Math.trunc(factor * ((k * T) / E)),
  megatron: ({ tokens: T, experts: E, k, factor }) => Math.ceil(((k * T) / E) * factor),
  'expert-choice': ({ tokens: T, experts: E, factor }) => Math.min(T, Math.floor((factor * T) / E)),
};

function tutel({
  tokens: T,
  experts: E,
  k,
  factor,
  alignment,
  largestLoad,
}: Required<CapacityOptions>): number {
  const share = Math.ceil(T / E);
  const least = k * Math.trunc(Math.abs(factor) * share);
  const wanted = factor > 0 ? least : factor === 0 ? largestLoad : Math.min(largestLoad, least);
  return Math.ceil(wanted / alignment) * alignment;
}

/**
 * Rows an expert may take, an integer of at least `minimum`:
 *
 * | convention | capacity |
 * | --- | --- |
 * | switch | floor(cf T / E); k = 1 (arXiv 2101.03961, equation 3) |
 * | mesh, st-moe | min(T, int(cf T / E)), at least 4; k is not in it: top-2 wants a factor of 2 |
 * | flaxformer | round(cf T / E), half to even, at least 4; k is not in it |
 * | gshard | floor(k cf T / E): the paper's 2 N / (G E) for k = 2 and cf = 1 (arXiv 2006.16668, section 2.2) |
 * | tutel | k int(cf ceil(T / E)), rounded up to `alignment`; cf = 0: the largest load; cf < 0: the smaller of both |
 * | megablocks | int(cf k T / E); cf = 0: the largest load |
 * | megatron | ceil(cf k T / E) |
 * | expert-choice | min(T, floor(cf T / E)), cf = experts a token on average (arXiv 2202.09368, section 3) |
 *
 * @throws ArgumentError for sizes that are no positive integers, a factor the convention does not know, and a missing
 * largest load. Asking for the largest load costs a readback on a GPU; a dropless plan needs none
 */
export function capacityOf(options: CapacityOptions): number {
  const { tokens, experts, k = 1, factor, convention, alignment = 1 } = options;
  if (!CAPACITY_CONVENTIONS.includes(convention))
    throw new ArgumentError(
      `capacityOf: convention must be one of ${CAPACITY_CONVENTIONS.join(', ')}, got ${show(convention)}`,
    );
  for (const [name, value] of Object.entries({ tokens, experts, k, alignment }))
    if (!Number.isSafeInteger(value) || value < 1)
      throw new ArgumentError(`capacityOf: ${name} must be a positive integer, got ${show(value)}`);
  if (convention === 'switch' && k !== 1)
    throw new ArgumentError(`capacityOf: k must be 1 for switch, got ${show(k)}; take gshard or flaxformer`);
  const open = convention === 'tutel' ? factor <= 0 : convention === 'megablocks' && factor === 0;
  if (!Number.isFinite(factor) || !(factor > 0 || open))
    throw new ArgumentError(`capacityOf: factor must be positive for ${convention}, got ${show(factor)}`);
  const { largestLoad = NaN } = options;
  if (open && !(Number.isSafeInteger(largestLoad) && largestLoad >= 0))
    throw new ArgumentError(
      `capacityOf: largestLoad must be given for ${convention} with factor ${factor}, got ${show(options.largestLoad)}; or plan without a capacity`,
    );
  const { minimum = LEAST.has(convention) ? 4 : 1 } = options;
  if (!Number.isSafeInteger(minimum) || minimum < 1)
    throw new ArgumentError(`capacityOf: minimum must be a positive integer, got ${show(minimum)}`);
  const rule = RULES[convention];
  return Math.max(minimum, rule({ tokens, experts, k, factor, convention, minimum, alignment, largestLoad }));
}
