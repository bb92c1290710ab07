/** Sizes and parameters of an RWKV language model, and how they are read from a file of rwkv.cpp. */
import { ArgumentError, DataError, show } from '../../core/errors.js';
import * as math from '../../core/math.js';
import type { Dtype } from '../../core/dtype.js';
import { sameShape, sizeOf } from '../../core/shape.js';
import { tensor, type Tensor } from '../../tensor/tensor.js';
import type { RwkvFile } from '../rwkv-file.js';

/** Sizes of a model; plain JSON. */
export interface RwkvConfig {
  /** 5 stands for RWKV-5.2 (Eagle), 7 for RWKV-7 (Goose). */
  version: 5 | 7;
  layers: number;
  width: number;
  /** Number of tokens, default 256: bytes. */
  vocabulary?: number;
  /** Lanes of a head; default 64, or the width where that is less. */
  headSize?: number;
  /** Lanes of channel mixing; default 4 width (7) or 3.5 width rounded down to a multiple of 32 (5). */
  hidden?: number;
  /** Rank of the small maps of RWKV-7 (decay, rate, value, gate); default 32. */
  rank?: number;
}

/** The sizes with their defaults. */
export type RwkvSizes = Required<RwkvConfig> & { heads: number };

/** The sizes of a configuration. @throws ArgumentError for a version, size or head that does not fit */
export function rwkvSizes(config: RwkvConfig): RwkvSizes {
  const { version, layers, width, vocabulary = 256, rank = 32 } = config;
  if (version !== 5 && version !== 7)
    throw new ArgumentError(`rwkvSizes: version must be 5 or 7, got ${show(version)}`);
  const headSize = config.headSize ?? Math.min(64, width);
  const hidden =
    config.hidden ?? (version === 7 ? 4 * width : Math.max(32, Math.floor((3.5 * width) / 32) * 32));
  const sizes = { layers, width, vocabulary, headSize, hidden, rank };
  for (const [name, value] of Object.entries(sizes))
    if (!Number.isInteger(value) || value < 1)
      throw new ArgumentError(`rwkvSizes: ${name} must be a positive integer, got ${show(value)}`);
  if (width % headSize !== 0)
    throw new ArgumentError(`rwkvSizes: headSize must divide width = ${width}, got ${headSize}`);
  return { ...sizes, version, heads: width / headSize };
}

/** Gain and shift of a normalisation, [D] each. */
export type Affine = { weight: Tensor; bias: Tensor };

/** bias + up (activation (down x)): [D], [D,R], [R,D]. */
export type LowRank = { bias: Tensor; up: Tensor; down: Tensor };

/** Time mixing of RWKV-5.2. `decay` is the raw parameter: the log-decay is -e^decay. */
export type TimeMixing5 = {
  /** Weights of the token itself, [D]. */
  mixKey: Tensor;
  mixValue: Tensor;
  mixReceptance: Tensor;
  mixGate: Tensor;
  /** [H,K] */
  decay: Tensor;
  bonus: Tensor;
  /** [D,D] */
  receptance: Tensor;
  key: Tensor;
  value: Tensor;
  gate: Tensor;
  output: Tensor;
  norm: Affine;
};

/** Time mixing of RWKV-7. */
export type TimeMixing7 = {
  /** Weights of the token before, for receptance, decay, key, value, rate and gate: [6,D]. */
  mix: Tensor;
  decay: LowRank;
  rate: LowRank;
  /** How much of the first layer's values; absent in the first layer. */
  mixValue?: LowRank;
  /** No bias. */
  gate: { up: Tensor; down: Tensor };
  /** [D]: of the removal key, of the replacement key, of the bonus. */
  removal: Tensor;
  replacement: Tensor;
  bonus: Tensor;
  /** [D,D] */
  receptance: Tensor;
  key: Tensor;
  value: Tensor;
  output: Tensor;
  norm: Affine;
};

/** Channel mixing; RWKV-7 has no receptance. */
export type ChannelMixing = {
  mixKey: Tensor;
  mixReceptance?: Tensor;
  key: Tensor;
  value: Tensor;
  receptance?: Tensor;
};

export type RwkvLayer = {
  timeNorm: Affine;
  channelNorm: Affine;
  time: TimeMixing5 | TimeMixing7;
  channel: ChannelMixing;
};

/** Parameters of a model. Linear maps are [out, in]. */
export type RwkvParameters = {
  embedding: Tensor;
  embeddingNorm: Affine;
  layers: RwkvLayer[];
  norm: Affine;
  head: Tensor;
};

/** The configuration a file has. @throws DataError for architectures other than RWKV-5.2 and RWKV-7 */
export function rwkvConfig(file: RwkvFile): RwkvConfig {
  const { width, layers, vocabulary, tensors } = file;
  const shapeOf = (name: string) => {
    const found = tensors.get(`blocks.0.${name}`)?.shape;
    if (!found) throw new DataError(`rwkvConfig: file must hold blocks.0.${name}, got none`);
    return found;
  };
  const common = { layers, width, vocabulary, hidden: shapeOf('ffn.key.weight')[0] };
  if (tensors.has('blocks.0.att.r_k')) {
    const [heads, headSize] = shapeOf('att.r_k');
    if (!(heads * headSize === width))
      throw new DataError(
        `rwkvConfig: blocks.0.att.r_k must have ${width} elements, got ${heads * headSize}`,
      );
    return { version: 7, ...common, headSize, rank: shapeOf('att.w1')[0] };
  }
  const decay = tensors.get('blocks.0.att.time_decay')?.shape;
  if (
    tensors.has('blocks.0.att.gate.weight') &&
    tensors.has('blocks.0.att.time_faaaa') &&
    decay?.length === 3
  )
    return { version: 5, ...common, headSize: headSizeOf(decay, width) };
  throw new DataError('rwkvConfig: file must hold an RWKV-5.2 or RWKV-7 model, got another architecture');
}

/** Lanes of a head of RWKV-5.2 from the shape [H,K,1] of its decays. */
function headSizeOf([heads, headSize]: readonly number[], width: number): number {
  if (heads * headSize === width) return headSize;
  throw new DataError(
    `rwkvConfig: blocks.0.att.time_decay must have ${width} elements, got ${heads * headSize}`,
  );
}

/** Takes tensors out of a file by name and checks their sizes; `done` says what nobody asked for. */
class Reader {
  private readonly asked = new Set<string>();

  constructor(
    private readonly file: RwkvFile,
    private readonly dtype: Dtype,
  ) {}

  take(name: string, shape: readonly number[], change: (x: number) => number = (x) => x): Tensor {
    const found = this.file.tensors.get(name);
    if (!found) throw new DataError(`rwkvParameters: file must hold ${name} [${shape.join()}], got none`);
    // Axes of size one come and go between versions of the converter.
    const wide = (s: readonly number[]) => s.filter((n) => n !== 1);
    if (found.data.length !== sizeOf(shape) || !sameShape(wide(found.shape), wide(shape)))
      throw new DataError(
        `rwkvParameters: shape of ${name} must be ${show([...shape])}, got ${show([...found.shape])}`,
      );
    this.asked.add(name);
    const values = Float64Array.from(found.data, change);
    const bad = values.findIndex((v) => !Number.isFinite(v));
    if (bad >= 0)
      throw new DataError(
        `rwkvParameters: values of ${name} must be finite, got ${found.data[bad]} at ${bad}`,
      );
    return tensor(values, { shape, dtype: this.dtype });
  }

  affine(name: string, width: number): Affine {
    return { weight: this.take(`${name}.weight`, [width]), bias: this.take(`${name}.bias`, [width]) };
  }

  /** Ranks may differ from map to map. */
  lowRank(name: string, width: number): LowRank {
    return { bias: this.take(`${name}0`, [width]), ...this.maps(name, width) };
  }

  maps(name: string, width: number): { up: Tensor; down: Tensor } {
    const found = this.file.tensors.get(`${name}1`)?.shape;
    if (!found) throw new DataError(`rwkvParameters: file must hold ${name}1 [R,${width}], got none`);
    const [rank] = found;
    return { up: this.take(`${name}2`, [width, rank]), down: this.take(`${name}1`, [rank, width]) };
  }

  done(): void {
    const extra = [...this.file.tensors.keys()].filter((name) => !this.asked.has(name) && !UNUSED.test(name));
    if (extra.length > 0)
      throw new DataError(
        `rwkvParameters: file must hold the parameters of the model only, got ${extra.slice(0, 3).join(', ')}`,
      );
  }
}

/** The first layer of RWKV-7 has nothing to mix its values with; converters may leave its maps in. */
const UNUSED = /^blocks\.0\.att\.v[012]$/;

/** The file has e^{-e^raw}; raw is what is learnt. */
const rawDecay = (stored: number): number => math.log(-math.log(stored));

function timeMixing5(r: Reader, at: string, { width, heads, headSize }: RwkvSizes): TimeMixing5 {
  const square = [width, width];
  return {
    mixKey: r.take(`${at}.time_mix_k`, [width]),
    mixValue: r.take(`${at}.time_mix_v`, [width]),
    mixReceptance: r.take(`${at}.time_mix_r`, [width]),
    mixGate: r.take(`${at}.time_mix_g`, [width]),
    decay: r.take(`${at}.time_decay`, [heads, headSize], rawDecay),
    bonus: r.take(`${at}.time_faaaa`, [heads, headSize]),
    receptance: r.take(`${at}.receptance.weight`, square),
    key: r.take(`${at}.key.weight`, square),
    value: r.take(`${at}.value.weight`, square),
    gate: r.take(`${at}.gate.weight`, square),
    output: r.take(`${at}.output.weight`, square),
    norm: r.affine(`${at}.ln_x`, width),
  };
}

function timeMixing7(r: Reader, at: string, { width }: RwkvSizes, first: boolean): TimeMixing7 {
  const square = [width, width];
  return {
    mix: r.take(`${at}.x_rwkvag`, [6, width]),
    decay: r.lowRank(`${at}.w`, width),
    rate: r.lowRank(`${at}.a`, width),
    ...(first ? {} : { mixValue: r.lowRank(`${at}.v`, width) }),
    gate: r.maps(`${at}.g`, width),
    removal: r.take(`${at}.k_k`, [width]),
    replacement: r.take(`${at}.k_a`, [width]),
    bonus: r.take(`${at}.r_k`, [width]),
    receptance: r.take(`${at}.receptance.weight`, square),
    key: r.take(`${at}.key.weight`, square),
    value: r.take(`${at}.value.weight`, square),
    output: r.take(`${at}.output.weight`, square),
    norm: r.affine(`${at}.ln_x`, width),
  };
}

/**
 * The parameters a file holds, on the current device: f32 (default), or f64 for references.
 * @throws DataError for a parameter that is missing, superfluous, not finite or of another shape
 */
export function rwkvParameters(file: RwkvFile, dtype: 'f32' | 'f64' = 'f32'): RwkvParameters {
  const sizes = rwkvSizes(rwkvConfig(file));
  const { version, width, hidden, vocabulary } = sizes;
  const r = new Reader(file, dtype);
  const layer = (i: number): RwkvLayer => {
    const [att, ffn] = [`blocks.${i}.att`, `blocks.${i}.ffn`];
    const gate = () => ({
      mixReceptance: r.take(`${ffn}.time_mix_r`, [width]),
      receptance: r.take(`${ffn}.receptance.weight`, [width, width]),
    });
    return {
      timeNorm: r.affine(`blocks.${i}.ln1`, width),
      channelNorm: r.affine(`blocks.${i}.ln2`, width),
      time: version === 7 ? timeMixing7(r, att, sizes, i === 0) : timeMixing5(r, att, sizes),
      channel: {
        mixKey: r.take(version === 7 ? `${ffn}.x_k` : `${ffn}.time_mix_k`, [width]),
        ...(version === 7 ? {} : gate()),
        key: r.take(`${ffn}.key.weight`, [hidden, width]),
        value: r.take(`${ffn}.value.weight`, [width, hidden]),
      },
    };
  };
  const params: RwkvParameters = {
    embedding: r.take('emb.weight', [vocabulary, width]),
    embeddingNorm: r.affine('blocks.0.ln0', width),
    layers: Array.from({ length: sizes.layers }, (_, i) => layer(i)),
    norm: r.affine('ln_out', width),
    head: r.take('head.weight', [vocabulary, width]),
  };
  r.done();
  return params;
}
