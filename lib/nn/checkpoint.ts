/**
 * Checkpoints as safetensors files: weights (`parameters.<path>`), optimiser buffers (`optimizer.<buffer>.<path>`),
 * the loss of every step (`history.losses`, f64), and in the metadata everything else a bit-identical resume needs.
 * Random streams need no state of their own: each is a function of the seed and the step.
 */
import { DataError, show } from '../core/errors.js';
import { sameShape } from '../core/shape.js';
import { tensor, type Tensor } from '../tensor/tensor.js';
import { treeEntries } from '../tensor/tree.js';
import {
  languageModel,
  parameterShapes,
  type LanguageModel,
  type LanguageModelConfig,
  type LanguageModelParameters,
} from './language-model.js';
import type { OptimizerState } from './optimizer.js';
import type { FlatSpec } from './parameters.js';
import { decodeSafetensors, encodeSafetensors, type StoredTensor, type TensorFile } from './safetensors.js';

const FORMAT = 'assay-checkpoint';
const VERSION = '1';

/** One evaluation in the course of training. */
export interface Evaluation {
  step: number;
  value: number;
}

/** What must agree between the run that saved and the run that resumes; plain JSON. */
export interface RunIdentity {
  config: unknown;
  seed: number | string;
  optimizer: unknown;
  clip: number | undefined;
}

/** Everything a run needs to continue after `step` steps. */
export interface Snapshot {
  step: number;
  state: OptimizerState;
  losses: readonly number[];
  evaluations: readonly Evaluation[];
}

/** Where checkpoints are kept. */
export interface CheckpointStore {
  /** For messages, e.g. the path. */
  readonly name: string;
  /** The last saved bytes; undefined when there are none. */
  load(): Promise<Uint8Array | undefined>;
  /** Replaces the saved bytes whole or not at all. */
  save(bytes: Uint8Array): Promise<void>;
  /** Runs `work` while no other run uses the store. */
  exclusive?<T>(work: () => Promise<T>): Promise<T>;
}

/** Bytes of a snapshot. @throws DataError when a weight is not finite, so that a bad one never replaces a good one */
export async function encodeCheckpoint(
  snapshot: Snapshot,
  spec: FlatSpec,
  identity: RunIdentity,
): Promise<Uint8Array> {
  const stored: Record<string, StoredTensor> = {};
  const buffers = { parameters: snapshot.state.parameters, ...prefixed(snapshot.state.moments) };
  for (const [prefix, flat] of Object.entries(buffers)) {
    const values = (await flat.data()) as Float32Array;
    const bad = values.findIndex((v) => !Number.isFinite(v));
    if (bad >= 0)
      throw new DataError(
        `encodeCheckpoint: ${prefix} must be finite, got ${values[bad]} after step ${snapshot.step}; nothing was saved`,
      );
    for (const { path, shape, offset, size } of spec.entries)
      stored[`${prefix}.${path}`] = {
        dtype: flat.dtype,
        shape,
        data: values.subarray(offset, offset + size),
      };
  }
  const losses = Float64Array.from(snapshot.losses);
  stored['history.losses'] = { dtype: 'f64', shape: [losses.length], data: losses };
  return encodeSafetensors(stored, {
    format: FORMAT,
    version: VERSION,
    step: String(snapshot.step),
    config: JSON.stringify(identity.config),
    identity: JSON.stringify(identity),
    evaluations: JSON.stringify(snapshot.evaluations),
  });
}

function prefixed(moments: Record<string, Tensor>): Record<string, Tensor> {
  return Object.fromEntries(Object.entries(moments).map(([name, t]) => [`optimizer.${name}`, t]));
}

/**
 * Reads a snapshot for a run.
 * @throws DataError when the file is damaged, is no checkpoint, or belongs to a run with other settings
 */
export function decodeCheckpoint(
  bytes: Uint8Array,
  spec: FlatSpec,
  identity: RunIdentity,
  moments: readonly string[],
  like: Tensor,
): Snapshot {
  const file = decodeSafetensors(bytes);
  checkFormat(file);
  const saved = parseJson(file, 'identity') as Record<string, unknown>;
  for (const [name, value] of Object.entries(JSON.parse(JSON.stringify(identity)) as Record<string, unknown>))
    if (canonical(saved[name]) !== canonical(value))
      throw new DataError(
        `decodeCheckpoint: ${name} must be the one of the saved run ${canonical(saved[name])}, got ${canonical(value)}; use another checkpoint path`,
      );
  const step = Number(file.metadata.step);
  const losses = demand(file, 'history.losses').data;
  if (!Number.isInteger(step) || step < 0 || losses.length !== step)
    throw new DataError(
      `decodeCheckpoint: history.losses must have one value a step (${step}), got ${losses.length}`,
    );
  const flat = (prefix: string) => readFlat(file, prefix, spec, like);
  return {
    step,
    state: {
      parameters: flat('parameters'),
      moments: Object.fromEntries(moments.map((m) => [m, flat(`optimizer.${m}`)])),
    },
    losses: Array.from(losses),
    evaluations: parseJson(file, 'evaluations') as Evaluation[],
  };
}

function readFlat(file: TensorFile, prefix: string, spec: FlatSpec, like: Tensor): Tensor {
  const values = like.dtype === 'f64' ? new Float64Array(spec.length) : new Float32Array(spec.length);
  for (const { path, shape, offset } of spec.entries)
    values.set(demand(file, `${prefix}.${path}`, shape).data, offset);
  return tensor(values, { dtype: like.dtype, device: like.device });
}

function demand(file: TensorFile, name: string, shape?: readonly number[]): StoredTensor {
  const found = file.tensors[name];
  if (!found)
    throw new DataError(
      `decodeCheckpoint: file must hold ${name}, got ${Object.keys(file.tensors).length} other tensors`,
    );
  if (shape && !sameShape(found.shape, shape))
    throw new DataError(
      `decodeCheckpoint: ${name} must have shape ${show([...shape])}, got ${show([...found.shape])}`,
    );
  return found;
}

function checkFormat(file: TensorFile): void {
  const { format, version } = file.metadata;
  if (format !== FORMAT || version !== VERSION)
    throw new DataError(
      `decodeCheckpoint: file must be an ${FORMAT} of version ${VERSION}, got format ${show(format)} version ${show(version)}`,
    );
}

function parseJson(file: TensorFile, name: string): unknown {
  try {
    return JSON.parse(file.metadata[name] ?? '');
  } catch (error) {
    throw new DataError(`decodeCheckpoint: metadata ${name} must be JSON, got ${show(file.metadata[name])}`, {
      cause: error,
    });
  }
}

/** JSON with sorted keys, so that the order of options does not matter. */
function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`;
  if (typeof value === 'object' && value !== null) {
    const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
    return `{${entries.map(([k, v]) => `${JSON.stringify(k)}:${canonical(v)}`).join(',')}}`;
  }
  return JSON.stringify(value) ?? 'undefined';
}

/** Bytes of a model's configuration and weights alone, which decodeModel reads as it reads a training checkpoint. */
export async function encodeModel(
  config: LanguageModelConfig,
  params: LanguageModelParameters,
): Promise<Uint8Array> {
  const stored: Record<string, StoredTensor> = {};
  for (const [path, t] of treeEntries(params))
    stored[`parameters.${path}`] = { dtype: t.dtype, shape: t.shape, data: await t.data() };
  return encodeSafetensors(stored, { format: FORMAT, version: VERSION, config: JSON.stringify(config) });
}

/**
 * The language model in a checkpoint with its weights.
 * @throws DataError when the file is damaged or holds no language model
 */
export function decodeModel(bytes: Uint8Array): {
  model: LanguageModel;
  params: LanguageModelParameters;
  step: number;
} {
  const file = decodeSafetensors(bytes);
  checkFormat(file);
  const config = parseJson(file, 'config') as LanguageModelConfig;
  const params: Record<string, unknown> = {};
  for (const [path, shape] of Object.entries(parameterShapes(config))) {
    const found = demand(file, `parameters.${path}`, shape);
    place(params, path.split('.'), tensor(found.data, { shape, dtype: found.dtype }));
  }
  params.layers = Object.values(params.layers as Record<string, unknown>);
  return {
    model: languageModel(config),
    params: params as unknown as LanguageModelParameters,
    step: Number(file.metadata.step ?? 0),
  };
}

function place(tree: Record<string, unknown>, path: string[], t: Tensor): void {
  const [first, ...rest] = path;
  if (rest.length === 0) tree[first] = t;
  else place((tree[first] ??= {}) as Record<string, unknown>, rest, t);
}
