/**
 * Parameter trees (plain nested objects of tensors) and the one flat buffer behind them. The optimiser, clipping and
 * checkpoints work on the flat buffer; models see views into it, so nothing is copied between the two.
 */
import type { Dtype } from '../core/dtype.js';
import { ArgumentError, ShapeError, show } from '../core/errors.js';
import type { Random } from '../core/random.js';
import { sameShape, sizeOf, type Shape } from '../core/shape.js';
import { concat, reshape } from '../ops/structure/index.js';
import { isTensor, tensor, Tensor, zeros } from '../tensor/tensor.js';
import { treeEntries, treeMap, type Tree } from '../tensor/tree.js';

/** Views start at multiples of this many elements: 256 bytes of f32, the offset a WebGPU storage binding needs. */
export const VIEW_ALIGNMENT = 64;

/** Where one tensor of the tree stands in the flat buffer, in elements. */
export interface FlatEntry {
  readonly path: string;
  readonly shape: Shape;
  readonly offset: number;
  readonly size: number;
}

/** Layout of a flat buffer. `structure` is the tree with the number of its entry at each leaf. */
export interface FlatSpec {
  readonly entries: readonly FlatEntry[];
  /** Elements of the flat buffer, gaps for alignment included. */
  readonly length: number;
  readonly structure: FlatStructure;
}

export type FlatStructure = number | readonly FlatStructure[] | { readonly [key: string]: FlatStructure };

/**
 * The layout of a tree: entries in insertion order, each aligned to VIEW_ALIGNMENT elements.
 * @throws ArgumentError when one tensor stands at two paths: the flat buffer would train two copies
 */
export function flatSpec(tree: Tree): FlatSpec {
  const entries: FlatEntry[] = [];
  let length = 0;
  const paths = new Map<Tensor, string>();
  for (const [path, t] of treeEntries(tree)) {
    const other = paths.get(t);
    if (other !== undefined)
      throw new ArgumentError(
        `flatten: tree must hold each tensor once, got the same one at ${other} and ${path}; let the model use one path twice`,
      );
    paths.set(t, path);
    entries.push({ path, shape: t.shape, offset: length, size: t.size });
    length += Math.ceil(t.size / VIEW_ALIGNMENT) * VIEW_ALIGNMENT;
  }
  let next = 0;
  const number = (node: Tree): FlatStructure => {
    if (isTensor(node)) return next++;
    if (Array.isArray(node)) return (node as Tree[]).map(number);
    return Object.fromEntries(Object.entries(node as Record<string, Tree>).map(([k, v]) => [k, number(v)]));
  };
  return { entries, length, structure: number(tree) };
}

/** Copies a tree into one flat buffer (gaps are 0) and returns it with its layout. */
export function flatten(tree: Tree): { flat: Tensor; spec: FlatSpec } {
  const spec = flatSpec(tree);
  return { flat: flattenAs(tree, spec), spec };
}

/**
 * Copies a tree of a known layout, such as gradients, into a fresh flat buffer.
 * @throws ShapeError when the tree does not have the layout
 */
export function flattenAs(tree: Tree, spec: FlatSpec): Tensor {
  const found = treeEntries(tree);
  const fits = ([path, t]: [string, Tensor], i: number) =>
    path === spec.entries[i]?.path && sameShape(t.shape, spec.entries[i].shape);
  const wrong = found.findIndex((entry, i) => !fits(entry, i));
  if (wrong >= 0 || found.length !== spec.entries.length) {
    const at = found[wrong];
    throw new ShapeError(
      `flattenAs: tree must have the ${spec.entries.length} tensors of the layout, got ` +
        (at ? `${at[0]} ${show([...at[1].shape])}` : `${found.length} tensors`),
    );
  }
  const tensors = found.map(([, t]) => t);
  const dtype = tensors[0]?.dtype ?? 'f32';
  return tensors[0]?.device === 'gpu' ? joinOnGpu(tensors) : copyOnHost(tensors, spec, dtype);
}

function copyOnHost(tensors: readonly Tensor[], spec: FlatSpec, dtype: Dtype): Tensor {
  const flat = Tensor.empty([spec.length], dtype, 'host', 'flatten');
  const to = flat.dataSync() as Float32Array;
  tensors.forEach((t, i) => {
    const { offset, size } = spec.entries[i];
    to.set(t.dataSync(), offset);
    to.fill(0, offset + size, spec.entries[i + 1]?.offset ?? spec.length);
  });
  return flat;
}

/** Balanced pairwise joins: n log n copies instead of n squared. */
function joinOnGpu(tensors: readonly Tensor[]): Tensor {
  let parts = tensors.flatMap((t) => {
    const gap = (VIEW_ALIGNMENT - (t.size % VIEW_ALIGNMENT)) % VIEW_ALIGNMENT;
    const flat = reshape(t, [t.size]);
    return gap === 0 ? [flat] : [concat([flat, zeros([gap], { dtype: t.dtype, device: 'gpu' })], 0)];
  });
  while (parts.length > 1)
    parts = parts.flatMap((p, i) =>
      i % 2 ? [] : i + 1 < parts.length ? [concat([p, parts[i + 1]], 0)] : [p],
    );
  return parts[0];
}

/** The tree of views into a flat buffer; nothing is copied. Views keep the buffer's memory alive. */
export function views<T extends Tree>(flat: Tensor, spec: FlatSpec): T {
  if (!sameShape(flat.shape, [spec.length]))
    throw new ShapeError(`views: flat must have shape [${spec.length}], got ${show([...flat.shape])}`);
  const build = (node: FlatStructure): Tree => {
    if (typeof node === 'number') {
      const { shape, offset, path } = spec.entries[node];
      return flat.view(shape, offset, path);
    }
    if (Array.isArray(node)) return (node as FlatStructure[]).map(build);
    const object = node as Record<string, FlatStructure>;
    return Object.fromEntries(Object.entries(object).map(([k, v]) => [k, build(v)]));
  };
  return build(spec.structure) as T;
}

/** Number of parameters of a tree. */
export function countParameters(tree: Tree): number {
  return treeEntries(tree).reduce((n, [, t]) => n + t.size, 0);
}

/** Weight decay applies to tensors with two or more axes, except those named here. */
export const NO_DECAY: readonly string[] = ['aLog', 'embedding', 'positions', 'decay', 'bonus', 'mix'];

/**
 * Does weight decay apply to this parameter? Not to gains, biases, D, aLog, the tables of tokens and positions, nor to
 * decays, bonuses and mixtures of RWKV.
 */
export function decays(path: string, shape: Shape): boolean {
  return shape.length >= 2 && !NO_DECAY.includes(path.slice(path.lastIndexOf('.') + 1));
}

/** 1 where weight decay applies and 0 elsewhere, as a flat buffer. */
export function decayMask(spec: FlatSpec, like: Tensor): Tensor {
  const mask = new Float32Array(spec.length);
  for (const { path, shape, offset, size } of spec.entries)
    if (decays(path, shape)) mask.fill(1, offset, offset + size);
  return tensor(mask, { dtype: like.dtype, device: like.device });
}

/** A copy of every leaf in another dtype on the host, e.g. f64 for checks. */
export function castTree<T extends Tree>(tree: T, dtype: 'f32' | 'f64'): T {
  return treeMap(tree, (t) => {
    if (t.device !== 'host')
      throw new ArgumentError(`castTree: tree must live on the host, got one on the ${t.device}`);
    return tensor(t.dataSync(), { shape: t.shape, dtype, device: 'host' });
  });
}

/** Normal values with mean 0; the stream of each parameter is named by its path, so order does not matter. */
export function normal(random: Random, shape: Shape, standardDeviation: number): Tensor {
  const values = new Float32Array(sizeOf(shape));
  random.fillNormal(values, 0, standardDeviation);
  return tensor(values, { shape });
}

/** Uniform values in [-bound, bound). */
export function uniform(random: Random, shape: Shape, bound: number): Tensor {
  const values = new Float32Array(sizeOf(shape));
  random.fillUniform(values, -bound, bound);
  return tensor(values, { shape });
}

/**
 * Weights of a linear map [out, in]: uniform within 1/sqrt(in), PyTorch's default for `Linear`
 * (He et al. 2015, arXiv 1502.01852, with a = sqrt(5)), times `gain`.
 */
export function linearWeights(random: Random, out: number, into: number, gain = 1): Tensor {
  return uniform(random, [out, into], gain / Math.sqrt(into));
}
