/** The gates around the recurrence of HGRN: lower bounds over layers, forget gates as logarithms, gated output. */
import { ShapeError, show } from '../../core/errors.js';
import { sub } from '../../ops/map/index.js';
import { cumsum } from '../../ops/scan/index.js';
import { boundedLogGate, normThenGate } from '../../ops/sequence/gates.js';
import { softmax } from '../../ops/softmax/index.js';
import { slice } from '../../ops/structure/index.js';
import { requireTensor, type Tensor } from '../../tensor/tensor.js';

/**
 * Lower bounds of the forget gates, [L,D] from free parameters [L,D]: the running sum over layers of their softmax over
 * layers, less the first layer's share. Row 0 is zero, rows rise, and all stay below 1 (HGRN, section 3.3).
 * @throws ShapeError unless the parameters have two axes
 */
export function hgrnLowerBounds(parameters: Tensor): Tensor {
  requireTensor('hgrnLowerBounds', 'parameters', parameters);
  if (parameters.rank !== 2)
    throw new ShapeError(
      `hgrnLowerBounds: parameters must have shape [L,D], got ${show([...parameters.shape])}`,
    );
  const shares = softmax(parameters, 0);
  return sub(cumsum(shares, 0), slice(shares, 0, 0, 1));
}

/**
 * Natural logarithm of the forget gate lower + (1 - lower) sigmoid(f), from raw f [B,T,D] and a bound [D]; without a
 * bound (the first layer) log sigmoid(f). No sum of exponentials is taken, and gates next to 1 keep the digits of their
 * distance.
 */
export function hgrnLogGate(f: Tensor, lowerBound?: Tensor): Tensor {
  requireTensor('hgrnLogGate', 'f', f);
  return boundedLogGate(f, lowerBound);
}

/** RMSNorm(h) silu(gate), over the last axis: what leaves the mixer before its output map. */
export const hgrnOutput: typeof normThenGate = normThenGate;
