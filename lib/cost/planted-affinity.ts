/** Routing traces with a planted affinity between token ids and experts: an assumption to be flipped, not a finding. */
import { ArgumentError, show } from '../core/errors.js';
import { pow } from '../core/math.js';
import { Random } from '../core/random.js';

/** What is planted. Every id belongs to one of `groups`, and so does every expert of every layer. */
export interface AffinityOptions {
  /** V, different token ids; the i-th most frequent has frequency ~ 1 / i^zipf. */
  vocabulary: number;
  /** E of each layer, a multiple of `groups`. */
  experts: number;
  layers: number;
  /** k, distinct experts a token chooses in each layer; at most E / groups. */
  choices: number;
  groups: number;
  /** Chance that a choice is made among the experts of the id's own group; else any expert. 0: no affinity at all. */
  affinity: number;
  /** Exponent of the frequencies. Default 1. */
  zipf?: number;
}

/** Which experts some tokens chose. */
export interface RoutingTrace {
  /** [T] token ids. */
  ids: Int32Array;
  /** [T,L,k] experts, 0..E-1 in each layer. */
  choices: Int32Array;
  vocabulary: number;
  experts: number;
  layers: number;
  /** k. */
  perToken: number;
}

/** A planted affinity: the truth, and tokens drawn from it. */
export interface PlantedAffinity {
  /** [V] group of each id. */
  idGroup: Int32Array;
  /** [L,E] group of each expert. */
  expertGroup: Int32Array;
  /** Draws a trace of `count` tokens. */
  draw(count: number, random: Random): RoutingTrace;
}

function checkOptions(options: AffinityOptions): void {
  const { affinity, groups, experts, choices, zipf = 1 } = options;
  const fail = (what: string): never => {
    throw new ArgumentError(`plantAffinity: ${what}`);
  };
  for (const name of ['vocabulary', 'experts', 'layers', 'choices', 'groups'] as const)
    if (!Number.isInteger(options[name]) || options[name] < 1)
      fail(`${name} must be a positive integer, got ${show(options[name])}`);
  if (!(affinity >= 0 && affinity <= 1)) fail(`affinity must lie in 0..1, got ${show(affinity)}`);
  if (!(zipf >= 0 && zipf < Infinity)) fail(`zipf must be finite and not negative, got ${show(zipf)}`);
  if (experts % groups !== 0) fail(`experts must be a multiple of groups, got ${experts} and ${groups}`);
  if (choices > experts / groups)
    fail(`choices must not exceed the ${experts / groups} experts of a group, got ${choices}`);
}

/** Group of each id: the most frequent first, each to the group with the least frequency so far, so that loads are even. */
function evenGroups(frequency: Float64Array, groups: number): Int32Array {
  const load = new Float64Array(groups);
  return Int32Array.from(frequency, (f) => {
    let least = 0;
    for (let g = 1; g < groups; g++) if (load[g] < load[least]) least = g;
    load[least] += f;
    return least;
  });
}

/** Cumulative sums, for drawing by bisection. */
function cumulative(weights: Float64Array): Float64Array {
  let sum = 0;
  return Float64Array.from(weights, (w) => (sum += w));
}

function drawFrom(sums: Float64Array, u: number): number {
  const target = u * sums[sums.length - 1];
  let [low, high] = [0, sums.length - 1];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (target < sums[middle]) high = middle;
    else low = middle + 1;
  }
  return low;
}

/** Plants an affinity; which experts form a group is drawn anew in every layer. */
export function plantAffinity(options: AffinityOptions, seed: number | string): PlantedAffinity {
  checkOptions(options);
  const { vocabulary, experts, layers, choices: k, groups, affinity, zipf = 1 } = options;
  const frequency = Float64Array.from({ length: vocabulary }, (_, i) => pow(i + 1, -zipf));
  const idGroup = evenGroups(frequency, groups);
  const sums = cumulative(frequency);
  const own = experts / groups;
  const planted = new Random('planted affinity').split(seed);
  const orders = Array.from({ length: layers }, (_, layer) => planted.split(layer).permutation(experts));
  const expertGroup = new Int32Array(layers * experts);
  orders.forEach((order, layer) =>
    order.forEach((expert, place) => (expertGroup[layer * experts + expert] = Math.floor(place / own))),
  );
  const draw = (count: number, random: Random): RoutingTrace => {
    const ids = new Int32Array(count);
    const choices = new Int32Array(count * layers * k);
    for (let t = 0; t < count; t++) {
      ids[t] = drawFrom(sums, random.uniform53());
      const first = idGroup[ids[t]] * own;
      for (let layer = 0; layer < layers; layer++) {
        const base = (t * layers + layer) * k;
        for (let j = 0; j < k;) {
          const inside = random.uniform53() < affinity;
          const place = inside ? first + random.int(own) : random.int(experts);
          const expert = orders[layer][place];
          // A token's experts are distinct: one that was chosen already is drawn again.
          if (choices.subarray(base, base + j).includes(expert)) continue;
          choices[base + j++] = expert;
        }
      }
    }
    return { ids, choices, vocabulary, experts, layers, perToken: k };
  };
  return { idGroup, expertGroup, draw };
}
