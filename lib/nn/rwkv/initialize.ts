/**
 * Fresh parameters of an RWKV model. The mixtures, decays and bonuses at the start are part of the architecture: with l the
 * layer's place from 0 to 1 and c that of a lane, deeper layers and later lanes look further back.
 * Source: the authors' training code (RWKV-LM, RWKV-v5 and RWKV-v7, model.py).
 * Deviation: where that draws orthogonal matrices, these are uniform of the same size.
 */
import { Random } from '../../core/random.js';
import * as math from '../../core/math.js';
import { full, ones, tensor, zeros, type Tensor } from '../../tensor/tensor.js';
import { linearWeights, uniform } from '../parameters.js';
import type {
  Affine,
  ChannelMixing,
  LowRank,
  RwkvLayer,
  RwkvParameters,
  RwkvSizes,
  TimeMixing5,
  TimeMixing7,
} from './config.js';

/** Where a layer stands: from 0 to 1, and from 1 to nearly 0. */
interface Place {
  index: number;
  up: number;
  down: number;
}

const placeOf = (index: number, layers: number): Place => ({
  index,
  up: layers > 1 ? index / (layers - 1) : 0,
  down: 1 - index / layers,
});

/** A vector [D] by lane; `f` gets i / D, and i / (D - 1). */
function lanes(width: number, f: (share: number, place: number, i: number) => number): Tensor {
  return tensor(Float32Array.from({ length: width }, (_, i) => f(i / width, i / Math.max(1, width - 1), i)));
}

/** share^exponent, and 0 for the first lane. */
const rise = (share: number, exponent: number): number => (share > 0 ? math.pow(share, exponent) : 0);

const unit = (width: number): Affine => ({ weight: ones([width]), bias: zeros([width]) });

function timeMixing5(random: Random, sizes: RwkvSizes, { up, down }: Place): TimeMixing5 {
  const { width, heads, headSize } = sizes;
  const weights = (name: string, gain = 0.5) => linearWeights(random.split(name), width, width, gain);
  const perHead = (f: (place: number, i: number) => number) =>
    tensor(
      Float32Array.from({ length: width }, (_, i) => f(i / Math.max(1, width - 1), i)),
      { shape: [heads, headSize] },
    );
  return {
    mixKey: lanes(width, (c) => rise(c, down)),
    mixValue: lanes(width, (c) => rise(c, down) + 0.3 * up),
    mixReceptance: lanes(width, (c) => rise(c, 0.5 * down)),
    mixGate: lanes(width, (c) => rise(c, 0.5 * down)),
    decay: perHead((c) => -6 + 5 * rise(c, 0.7 + 1.3 * up)),
    bonus: perHead((c, i) => up * (1 - c) + (((i + 1) % 3) - 1) * 0.1),
    receptance: weights('receptance'),
    key: weights('key', 0.1),
    value: weights('value'),
    gate: weights('gate'),
    output: zeros([width, width]),
    norm: { weight: full([width], 1), bias: zeros([width]) },
  };
}

function timeMixing7(random: Random, sizes: RwkvSizes, layers: number, place: Place): TimeMixing7 {
  const { width, rank } = sizes;
  const { index, up, down } = place;
  const exponents = [0.2, 0.9, 0.7, 0.7, 0.9, 0.2];
  const mix = Float32Array.from(
    { length: 6 * width },
    (_, i) => 1 - rise((i % width) / width, exponents[Math.floor(i / width)] * down),
  );
  const weights = (name: string, gain: number) => linearWeights(random.split(name), width, width, gain);
  const maps = (name: string) => ({
    up: uniform(random.split(`${name}.up`), [width, rank], 0.1 * Math.sqrt(3 / width)),
    down: zeros([rank, width]),
  });
  const lowRank = (name: string, bias: Tensor): LowRank => ({ bias, ...maps(name) });
  const decay = lanes(width, (_, c) => -6.5 + 5 * rise(c, 0.85 + Math.sqrt(up)));
  return {
    mix: tensor(mix, { shape: [6, width] }),
    decay: lowRank('decay', decay),
    rate: lowRank('rate', zeros([width])),
    ...(index === 0 ? {} : { mixValue: lowRank('mixValue', ones([width])) }),
    gate: maps('gate'),
    removal: full([width], 0.85),
    replacement: ones([width]),
    bonus: zeros([width]),
    receptance: weights('receptance', 0.5),
    key: weights('key', 0.05),
    value: weights('value', 0.5),
    output: zeros([width, width]),
    norm: { weight: full([width], math.pow((1 + index) / layers, 0.7)), bias: zeros([width]) },
  };
}

function channelMixing(random: Random, sizes: RwkvSizes, { down }: Place): ChannelMixing {
  const { version, width, hidden } = sizes;
  const gate = () => ({
    mixReceptance: lanes(width, (c) => rise(c, down)),
    receptance: zeros([width, width]),
  });
  return {
    mixKey: lanes(width, (c) => (version === 7 ? 1 - rise(c, down ** 4) : rise(c, down))),
    ...(version === 7 ? {} : gate()),
    key: linearWeights(random.split('key'), hidden, width, 0.5),
    value: zeros([width, hidden]),
  };
}

/** Parameters of a seed; each is drawn from a stream named by its path. */
export function initializeRwkv(sizes: RwkvSizes, seed: number | string): RwkvParameters {
  const random = new Random(seed);
  const { version, layers, width, vocabulary } = sizes;
  const layer = (i: number): RwkvLayer => {
    const place = placeOf(i, layers);
    const stream = random.split('layers').split(i);
    const time = stream.split('time');
    return {
      timeNorm: unit(width),
      channelNorm: unit(width),
      time: version === 7 ? timeMixing7(time, sizes, layers, place) : timeMixing5(time, sizes, place),
      channel: channelMixing(stream.split('channel'), sizes, place),
    };
  };
  return {
    embedding: uniform(random.split('embedding'), [vocabulary, width], 1e-4),
    embeddingNorm: unit(width),
    layers: Array.from({ length: layers }, (_, i) => layer(i)),
    norm: unit(width),
    head: linearWeights(random.split('head'), vocabulary, width, 0.5),
  };
}
