/** Feature maps from their definitions, row by row in f64. */
import * as math from '../../core/math.js';
import { allocate, type Call, type Implementation, type OptionalTensors } from '../../tensor/operator.js';

const WHERE = 'feature-map';

/** Features of a row, and the gradient of the row from theirs. */
interface RowMap {
  features(x: Float64Array): Float64Array;
  gradient(x: Float64Array, dy: Float64Array): Float64Array;
}

const elementwise = (f: (x: number) => number, slope: (x: number) => number): RowMap => ({
  features: (x) => x.map(f),
  gradient: (x, dy) => x.map((v, i) => slope(v) * dy[i]),
});

function softmaxOf(x: Float64Array): Float64Array {
  const largest = x.reduce((a, b) => Math.max(a, b));
  const weights = x.map((v) => math.exp(v - largest));
  const sum = weights.reduce((a, b) => a + b);
  return weights.map((w) => w / sum);
}

function softmaxGradient(x: Float64Array, dy: Float64Array): Float64Array {
  const p = softmaxOf(x);
  const mean = p.reduce((sum, w, i) => sum + w * dy[i], 0);
  return p.map((w, i) => w * (dy[i] - mean));
}

/** softmax([f x, -f x]). */
const mirrored = (factor: number): RowMap => {
  const both = (x: Float64Array) => Float64Array.from([...x, ...x.map((v) => -v)], (v) => factor * v);
  return {
    features: (x) => softmaxOf(both(x)),
    gradient: (x, dy) => {
      const d = softmaxGradient(both(x), dy);
      return x.map((_, i) => factor * (d[i] - d[x.length + i]));
    },
  };
};

/** Second-order Taylor expansion of exp(q . k / sqrt(d)). */
function taylor(symmetric: boolean): RowMap {
  const pairs = (d: number) => {
    const found: [i: number, j: number, weight: number][] = [];
    for (let i = 0; i < d; i++)
      for (let j = symmetric ? i : 0; j < d; j++)
        found.push([i, j, symmetric && i !== j ? 1 / Math.sqrt(d) : 1 / Math.sqrt(2 * d)]);
    return found;
  };
  return {
    features: (x) => {
      const d = x.length;
      const squares = pairs(d).map(([i, j, w]) => w * x[i] * x[j]);
      return Float64Array.from([1, ...x.map((v) => v / Math.sqrt(Math.sqrt(d))), ...squares]);
    },
    gradient: (x, dy) => {
      const d = x.length;
      const dx = x.map((_, i) => dy[1 + i] / Math.sqrt(Math.sqrt(d)));
      pairs(d).forEach(([i, j, w], n) => {
        dx[i] += w * x[j] * dy[1 + d + n];
        dx[j] += w * x[i] * dy[1 + d + n];
      });
      return dx;
    },
  };
}

function rowMap(call: Call): RowMap {
  switch (call.params.map) {
    case 'elu':
      return elementwise(
        (x) => (x > 0 ? 1 + x : math.exp(x)),
        (x) => (x > 0 ? 1 : math.exp(x)),
      );
    case 'relu':
      return elementwise(
        (x) => (x > 0 ? x : 0),
        (x) => (x > 0 ? 1 : 0),
      );
    case 'softmax':
      return { features: softmaxOf, gradient: softmaxGradient };
    case 'hedgehog':
      return mirrored(call.params.factor as number);
    default:
      return taylor(call.params.map === 'taylor-symmetric');
  }
}

/** Offset of the projection of head h, and of its shift. */
const offsets = (call: Call, h: number) => {
  const { K, F } = call.dims;
  const own = call.in.weight?.rank === 3 ? h : 0;
  return { weight: own * F * K, bias: own * F };
};

function projected(call: Call, x: Float64Array, h: number): Float64Array {
  const weight = call.in.weight?.floats(WHERE);
  if (!weight) return x;
  const bias = call.in.bias?.floats(WHERE);
  const at = offsets(call, h);
  return Float64Array.from({ length: call.dims.F }, (_, f) => {
    let sum = bias ? bias[at.bias + f] : 0;
    for (let c = 0; c < x.length; c++) sum += weight[at.weight + f * x.length + c] * x[c];
    return sum;
  });
}

/** Rows of x in f64 with their head. */
function* rows(call: Call): Generator<[row: number, h: number, x: Float64Array]> {
  const { H, K } = call.dims;
  const x = call.in.x!.floats(WHERE);
  for (let r = 0; r * K < x.length; r++) yield [r, r % H, Float64Array.from(x.subarray(r * K, (r + 1) * K))];
}

const forward: Implementation['forward'] = (call) => {
  const map = rowMap(call);
  const { B, T, H } = call.dims;
  const size = map.features(new Float64Array(call.dims.F ?? call.dims.K)).length;
  const y = allocate(call, [B, T, H, size]);
  for (const [r, h, x] of rows(call))
    (y.floats(WHERE) as Float64Array).set(map.features(projected(call, x, h)), r * size);
  return { y };
};

const backward: Implementation['forward'] = (call) => {
  const map = rowMap(call);
  const { K, F } = call.dims;
  const dy = call.grad.y!.floats(WHERE);
  const size = call.out.y.shape[3];
  const weight = call.in.weight?.floats(WHERE);
  const sums: Record<string, Float64Array> = {};
  for (const [name, t] of Object.entries(call.in)) if (t) sums[name] = new Float64Array(t.size);
  for (const [r, h, x] of rows(call)) {
    const g = Float64Array.from(dy.subarray(r * size, (r + 1) * size));
    const dz = map.gradient(projected(call, x, h), g);
    if (!weight) {
      sums.x.set(dz, r * K);
      continue;
    }
    const at = offsets(call, h);
    for (let f = 0; f < F; f++) {
      if (sums.bias) sums.bias[at.bias + f] += dz[f];
      for (let c = 0; c < K; c++) {
        sums.weight[at.weight + f * K + c] += dz[f] * x[c];
        sums.x[r * K + c] += dz[f] * weight[at.weight + f * K + c];
      }
    }
  }
  const made: OptionalTensors = {};
  for (const [name, values] of Object.entries(sums)) {
    made[name] = allocate(call, call.in[name]!.shape);
    (made[name].floats(WHERE) as Float64Array).set(values);
  }
  return made;
};

export const featureReference: Implementation = { forward, backward };
