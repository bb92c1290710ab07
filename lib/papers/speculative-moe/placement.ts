/** The experiment: traffic by placement over seeds and affinities, its time on two networks, and losslessness. */
import type { Measurement } from '../ledger/types.js';
import { asPlain } from '../language.js';
import { resultOf, type Experiment, type Task, type Plain } from '../paper.js';
import { claims } from './claims.js';
import { measureLoss } from './lossless.js';
import {
  AFFINITIES,
  layerSeconds,
  measureTraffic,
  NETWORKS,
  PLACEMENTS,
  PLANTED,
  RANKS,
  TOKENS,
} from './traffic.js';

/** Seconds of one affinity at one seed on one core. */
const SECONDS = 0.3;

const seedsOf = (): readonly number[] =>
  claims.find(({ id }) => id === 'speculative-moe/remote-share')?.criterion?.seeds.reporting ?? [];

interface SeedResult {
  remote: Measurement[];
  copies: Measurement[];
  links: Measurement[];
}

function measureSeed(seed: number): SeedResult {
  const found: SeedResult = { remote: [], copies: [], links: [] };
  for (const at of AFFINITIES) {
    const traffic = measureTraffic(at, seed);
    for (const arm of PLACEMENTS) {
      found.remote.push({ arm, seed, at, value: traffic[arm].remote });
      found.copies.push({ arm, seed, at, value: traffic[arm].ranksPerToken });
    }
    for (const name of ['fast', 'slow'] as const) {
      const seconds = (arm: 'random' | 'grouped and shuffled') =>
        layerSeconds(NETWORKS[name], traffic[arm].remote);
      const value = seconds('random') / seconds('grouped and shuffled');
      found.links.push({ arm: `gain on ${name} links`, seed, at, value });
    }
  }
  return found;
}

const taskOf = (seed: number): Task => ({ id: `seed ${seed}`, inputs: { seed } });

export const placement: Experiment = {
  id: 'placement',
  about: 'remote choices by where experts and tokens are put, over planted affinities',
  claims: ['remote-share', 'copies', 'lossless', 'links'].map((name) => `speculative-moe/${name}`),
  parts: () => [
    {
      name: 'traffic',
      about: `${AFFINITIES.length} affinities, ${seedsOf().length} seeds`,
      isolated: true,
      seconds: (_, workers, isDone) =>
        (SECONDS * AFFINITIES.length * seedsOf().filter((seed) => !isDone(taskOf(seed))).length) / workers,
      tasks: () => seedsOf().map(taskOf),
      run: async ({ inputs }) => asPlain(measureSeed(inputs.seed as number)),
    },
    {
      name: 'lossless',
      about: 'a layer before and after its tokens and experts moved',
      isolated: false,
      seconds: () => 0.2,
      tasks: () => [{ id: 'lossless', inputs: {} }],
      run: async () => asPlain(await measureLoss()),
    },
  ],
  collect: (results) => {
    const seeds = (results['traffic'] ?? []).map(({ result }) => result as unknown as SeedResult);
    const of = (key: keyof SeedResult) => seeds.flatMap((found) => found[key]);
    return {
      config: {
        ranks: RANKS,
        planted: { ...PLANTED },
        tokens: TOKENS,
        networks: NETWORKS as unknown as Plain,
      },
      measurements: {
        'speculative-moe/remote-share': of('remote'),
        'speculative-moe/copies': of('copies'),
        'speculative-moe/links': of('links'),
        'speculative-moe/lossless': resultOf<Measurement[]>(results, 'lossless', 'lossless') ?? [],
      },
      curves: [],
    };
  },
};
