/** Trees of tensors: nested arrays and plain objects, as parameters and gradients are kept. */
import { ArgumentError, show } from '../core/errors.js';
import type { Tensor } from './tensor.js';

/** A tensor, or arrays and plain objects of trees. */
export type Tree = Tensor | readonly Tree[] | { readonly [key: string]: Tree };

const BRAND = Symbol.for('assay.tensor');

function isLeaf(value: unknown): value is Tensor {
  return typeof value === 'object' && value !== null && (value as Record<symbol, unknown>)[BRAND] === true;
}

/** All tensors found in a value, other values ignored, in insertion order. */
export function treeTensors(value: unknown): Tensor[] {
  if (isLeaf(value)) return [value];
  if (Array.isArray(value)) return value.flatMap(treeTensors);
  if (typeof value === 'object' && value !== null && isPlain(value))
    return Object.values(value).flatMap(treeTensors);
  return [];
}

/** `path -> tensor` in insertion order; paths are joined by dots, as in checkpoint files. */
export function treeEntries(tree: Tree, prefix = ''): [string, Tensor][] {
  if (isLeaf(tree)) return [[prefix, tree]];
  if (typeof tree !== 'object' || tree === null)
    throw new ArgumentError(`tree: leaf ${prefix || '(root)'} must be a tensor, got ${show(tree)}`);
  return Object.entries(tree as Record<string, Tree>).flatMap(([k, v]) =>
    treeEntries(v, prefix ? `${prefix}.${k}` : k),
  );
}

/** A tree of the same structure with every leaf replaced. */
export function treeMap<T extends Tree>(tree: T, fn: (t: Tensor, path: string) => Tensor, prefix = ''): T {
  if (isLeaf(tree)) return fn(tree, prefix) as T;
  const join = (k: string) => (prefix ? `${prefix}.${k}` : k);
  if (Array.isArray(tree)) return tree.map((t, i) => treeMap(t as Tree, fn, join(String(i)))) as unknown as T;
  return Object.fromEntries(
    Object.entries(tree as Record<string, Tree>).map(([k, v]) => [k, treeMap(v, fn, join(k))]),
  ) as unknown as T;
}

function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}
