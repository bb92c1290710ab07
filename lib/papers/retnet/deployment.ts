/** Memory and throughput of a 6.7B model by counted bytes and the roofline of an A100: what the design alone can give. */
import { decoderCost, deviceOf, machineOf, roofline, type DecoderSizes } from '../../cost/index.js';
import type { Measurement } from '../ledger/types.js';

/** RetNet of 6.7B: keys 256 and values 512 a head, feed-forward 2 d; a transformer of the same size. */
const SHARED = { layers: 32, width: 4096, vocabulary: 100_000, tied: true, feedForwardMatrices: 2 } as const;
export const RETNET: DecoderSizes = {
  ...SHARED,
  ...{ mixer: 'linear', heads: 16, key: 256, value: 512, hidden: 8192, gated: true },
};
export const TRANSFORMER: DecoderSizes = { ...SHARED, mixer: 'softmax', heads: 32, hidden: 16_384 };

/** Sequences at a time at which both statements are computed. */
export const BATCH = 8;
export const TOKENS = 8192;
const CONTEXTS = [1, 1024, 2048, 4096, TOKENS];

const device = deviceOf('a100-80gb');
const machine = machineOf(device, 'half');

interface Deployed {
  bytes: number;
  /** Generated tokens a second of all sequences. */
  throughput: number;
}

function deployed(sizes: DecoderSizes, tokens: number, batch: number): Deployed {
  const { weights, kept, step } = decoderCost(sizes, { tokens, batch });
  return { bytes: weights + kept, throughput: batch / roofline(step, machine).seconds };
}

/** The most sequences of that context whose memory fits. */
function largestBatch(sizes: DecoderSizes, tokens: number): number {
  const { weights, kept } = decoderCost(sizes, { tokens, batch: 1 });
  return Math.floor((device.memory - weights) / kept);
}

/** Saved memory and ratio of throughputs by context, at one batch and with the largest batch of each. */
export function measureDeployment(): Measurement[] {
  const made = CONTEXTS.flatMap((at): Measurement[] => {
    const [ours, theirs] = [RETNET, TRANSFORMER].map((sizes) => deployed(sizes, at, BATCH));
    const [most, few] = [RETNET, TRANSFORMER].map((sizes) => deployed(sizes, at, largestBatch(sizes, at)));
    return [
      { arm: 'memory saved', at, value: 1 - ours.bytes / theirs.bytes },
      { arm: 'throughput ratio', at, value: ours.throughput / theirs.throughput },
      { arm: 'throughput ratio, largest batch of each', at, value: most.throughput / few.throughput },
    ];
  });
  const ends = made.filter(({ at }) => at === 1 || at === TOKENS);
  return [
    ...made,
    ...ends.map(({ arm, at, value }) => ({ arm: `${arm} after ${at === 1 ? 'one token' : '8k'}`, value })),
  ];
}
