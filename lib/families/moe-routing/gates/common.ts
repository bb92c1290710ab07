/** What gates and losses share: precision, masks, one-hot rows. All made of operators, so it runs on any device. */
import { ArgumentError, DtypeError, ShapeError, show } from '../../../core/errors.js';
import type { Random } from '../../../core/random.js';
import type { Shape } from '../../../core/shape.js';
import { add, cast, compare, randomUniform, reshape, slice, sum, where } from '../../../ops/index.js';
import { noGrad } from '../../../tensor/tape.js';
import { full, tensor, type Tensor } from '../../../tensor/tensor.js';
import type { Routing } from '../types.js';

/**
 * Scores in the precision of a router (f32; f64 stays), refused when they hold NaN: comparisons with NaN route without
 * a word. On a GPU that is not checked, since a check would wait for it.
 */
export function routerScores(caller: string, name: string, scores: Tensor): Tensor {
  if (scores.rank !== 2)
    throw new ShapeError(`${caller}: ${name} must have two axes, got ${show([...scores.shape])}`);
  const wide = scores.dtype === 'f16' ? cast(scores, 'f32') : scores;
  if (wide.dtype !== 'f32' && wide.dtype !== 'f64')
    throw new DtypeError(`${caller}: ${name} must be f32 or f64, got ${scores.dtype}; cast it`);
  return wide;
}

/** Refuses NaN, or all that is not finite, in tensors on the host where `mask` (of the rows) is not 0. */
export function refuseNaN(caller: string, name: string, t: Tensor, mask?: Tensor, finite = false): void {
  if (t.device === 'gpu' || mask?.device === 'gpu') return;
  const values = t.dataSync();
  const counts = mask?.dataSync();
  const width = counts ? values.length / counts.length : 1;
  for (let i = 0; i < values.length; i++) {
    const v = values[i];
    if (v === v && !(finite && v - v !== 0)) continue;
    if (counts && counts[Math.floor(i / width)] === 0) continue;
    throw new ArgumentError(
      `${caller}: ${name} must ${finite ? 'be finite' : 'not be NaN'}, got ${v} at ${i}`,
    );
  }
}

/** k between 1 and the number of experts. */
export function checkChoices(caller: string, k: number, experts: number): void {
  if (!Number.isInteger(k) || k < 1 || k > experts)
    throw new ArgumentError(`${caller}: k must be an integer in 1..${experts}, got ${show(k)}`);
}

/** 0, 1, ..., n-1 in the dtype and on the device of another tensor. */
export function lanesLike(n: number, like: Tensor): Tensor {
  const values = Float64Array.from({ length: n }, (_, i) => i);
  return tensor(values, { shape: [n], dtype: like.dtype, device: like.device });
}

/** One number in the dtype and on the device of another tensor. */
export function scalarLike(value: number, like: Tensor): Tensor {
  return full([], value, { dtype: like.dtype, device: like.device });
}

/** A mask of rows as 0 and 1 in the dtype of `like`, under another shape. */
export function maskLike(caller: string, mask: Tensor, like: Tensor, rows: number, shape: Shape): Tensor {
  if (mask.size !== rows)
    throw new ShapeError(`${caller}: mask must hold ${rows} values, got ${show([...mask.shape])}`);
  return noGrad(() => {
    const zero = scalarLike(0, mask);
    return cast(reshape(compare(mask, 'ne', zero), shape), like.dtype);
  });
}

/** The values where the mask is 1, zeros elsewhere: also where the values are not finite. */
export function masked(values: Tensor, mask: Tensor | undefined): Tensor {
  return mask ? where(mask, values, scalarLike(0, values)) : values;
}

/** Elements of a one-hot block that may stand in memory at once when nothing needs its gradient. */
const BLOCK = 2 ** 20;

/** [T,E]: how often a token chose an expert, 0 or 1. No gradient; memory stays within a few matrices [T,E]. */
export function choiceMatrix(experts: Tensor, count: number, like: Tensor): Tensor {
  const [T, k] = experts.shape;
  if (T * k * count <= BLOCK) return noGrad(() => sum(oneHot(experts, count, like), 1));
  return noGrad(() => {
    const lanes = lanesLike(count, like);
    const ids = cast(experts, like.dtype);
    const choice = (j: number) => compare(slice(ids, 1, j, j + 1), 'eq', lanes);
    let all = choice(0);
    for (let j = 1; j < k; j++) all = add(all, choice(j));
    return all;
  });
}

/** [T,k,E]: 1 where expert e is choice j of token t; no expert (-1) has no 1. No gradient. */
export function oneHot(experts: Tensor, count: number, like: Tensor): Tensor {
  const [T, k] = experts.shape;
  return noGrad(() => {
    const ids = reshape(cast(experts, like.dtype), [T, k, 1]);
    return compare(ids, 'eq', lanesLike(count, like));
  });
}

/**
 * Weights [T,k] and experts [T,k] as a matrix [T,E] with zeros where a token does not go. Gradients flow to the
 * weights.
 */
export function denseWeights(routing: Pick<Routing, 'weights' | 'experts'>, experts: number): Tensor {
  const { weights } = routing;
  const [T, k] = weights.shape;
  const hot = oneHot(routing.experts, experts, weights);
  return sum(where(hot, reshape(weights, [T, k, 1]), scalarLike(0, weights)), 1);
}

/** values[t, experts[t,j]] as [T,k], 0 for no expert. Gradients flow to the values [T,E]. */
export function valuesAt(values: Tensor, experts: Tensor): Tensor {
  const [T, E] = values.shape;
  const hot = oneHot(experts, E, values);
  return sum(where(hot, reshape(values, [T, 1, E]), scalarLike(0, values)), 2);
}

/** Experts with -1 where `keep` (0 or 1, same shape) is 0. */
export function keepExperts(experts: Tensor, keep: Tensor): Tensor {
  return noGrad(() => {
    const ids = cast(experts, keep.dtype);
    return cast(where(keep, ids, scalarLike(-1, keep)), 'i32');
  });
}

/** Uniforms in [0, 1) of a stream in the dtype of another tensor, made on its device's backend. */
export function uniformsLike(random: Random, shape: Shape, like: Tensor): Tensor {
  return noGrad(() => cast(randomUniform(random, shape), like.dtype));
}

/** Standard normals of a stream in the dtype and on the device of another tensor: the same numbers everywhere. */
export function normalsLike(random: Random, shape: Shape, like: Tensor): Tensor {
  const size = shape.reduce((a, b) => a * b, 1);
  const values = Float32Array.from({ length: size }, () => random.normal());
  return tensor(values, { shape, dtype: like.dtype, device: like.device });
}
