/** What BigMac sends, what it computes, and on which networks that pays. */
import type { Measurement } from '../ledger/types.js';
import { reanalysis } from '../reanalysis.js';
import { measureBytes } from './layer.js';
import {
  BIGMAC,
  clusterNetwork,
  fastestLink,
  FINE_GRAINED,
  gain,
  innerWidth,
  layerCounts,
  MATRICES,
  shareNeeded,
} from './model.js';

/** Figures of the abstract. */
export const STATED = { training: 3.09, inference: 3.11 } as const;
/** Tokens of one rank. */
export const PASSES = {
  training: { tokens: 4096, training: true, target: STATED.training },
  prompt: { tokens: 4096, training: false, target: STATED.inference },
  generation: { tokens: 64, training: false, target: STATED.inference },
} as const;
/** Links between nodes, in Gbit/s of one rank, at which the gain is recorded. */
const LINKS = [1.5625, 3.125, 6.25, 12.5, 25, 50, 100, 200, 400];

function parameters(): Measurement[] {
  const [wide, narrow] = [FINE_GRAINED, BIGMAC].map(layerCounts);
  // Experts of h' x f instead of h' x f h/h'.
  const lost = BIGMAC.experts * MATRICES * (BIGMAC.narrow ?? NaN) * (innerWidth(BIGMAC) - BIGMAC.inner);
  return [
    { arm: 'parameters', value: narrow.parameters / wide.parameters },
    { arm: 'operations of a token', value: narrow.flops / wide.flops },
    { arm: 'parameters with the old inner width', value: (narrow.parameters - lost) / wide.parameters },
  ];
}

/** The region of one pass: where the gain is reached, its limits, and the gain link by link. */
function region(name: keyof typeof PASSES): Measurement[] {
  const { target, ...pass } = PASSES[name];
  const free = { ...clusterNetwork(Infinity, 0), intra: { latency: 0, bandwidth: Infinity } };
  const latencies = {
    ...free,
    intra: { latency: 10, bandwidth: Infinity },
    inter: { latency: 10, bandwidth: Infinity },
  };
  const values: [string, number][] = [
    ['fastest link', fastestLink(target, pass)],
    ['fastest link with all hidden', fastestLink(target, { ...pass, overlap: 1 })],
    ['gain on a free network', gain({ ...pass, network: free })],
    ['gain where latency is all', gain({ ...pass, network: latencies })],
    ['gain where bytes are all', gain({ ...pass, network: clusterNetwork(1, 0) })],
    ['share of communication needed', shareNeeded(target, FINE_GRAINED.width / (BIGMAC.narrow ?? NaN))],
  ];
  return [
    ...values.map(([arm, value]) => ({ arm: `${name}: ${arm}`, value })),
    ...LINKS.map((at) => ({
      arm: `${name}: gain by Gbit/s`,
      at,
      value: gain({ ...pass, network: clusterNetwork((at * 1e9) / 8) }),
    })),
  ];
}

export const communication = reanalysis({
  id: 'communication',
  about: 'bytes of the all-to-alls, parameters, and the networks on which the stated gain can appear',
  claims: [
    'bigmac/bytes-per-token',
    'bigmac/equal-parameters',
    'bigmac/training-latency',
    'bigmac/inference-throughput',
  ],
  seconds: 1,
  analyse: async () => ({
    measurements: {
      'bigmac/bytes-per-token': measureBytes(),
      'bigmac/equal-parameters': parameters(),
      'bigmac/training-latency': region('training'),
      'bigmac/inference-throughput': [...region('prompt'), ...region('generation')],
    },
    config: { layer: { ...FINE_GRAINED }, narrow: BIGMAC.narrow ?? 0, passes: PASSES },
  }),
});
