/** Dispatch and combine are transposes of each other: three movements of rows make both, forward and backward. */
import type { Call, Implementation } from '../../tensor/operator.js';
import type { Tensor } from '../../tensor/tensor.js';

/** The movements of one backend. Weights [T,k] are 1 where absent; choice c = t * k + j belongs to token t. */
export interface Movement {
  /** rows_r = w_c x_t of the choice c = source_r, 0 for an empty row: x [T,D] gives [N,D]. */
  spread(call: Call, x: Tensor, source: Tensor, weights: Tensor | undefined, k: number): Tensor;
  /** y_t = sum_j w_tj rows_slot(t,j), in the order of j, without the dropped ones: rows [N,D] gives [T,D]. */
  collect(call: Call, rows: Tensor, slots: Tensor, weights: Tensor | undefined): Tensor;
  /** d_tj = x_t . rows_slot(t,j), 0 for a dropped one: [T,k]. */
  dots(call: Call, x: Tensor, rows: Tensor, slots: Tensor): Tensor;
}

const needsWeights = (call: Call) => call.in.weights !== undefined && call.needs('weights');

/** Dispatch and its gradient. */
export function dispatchBy(m: Movement): Implementation {
  return {
    forward: (call) => {
      const { x, source, slots, weights } = call.in;
      return { rows: m.spread(call, x!, source!, weights, slots!.shape[1]) };
    },
    backward: (call) => {
      const { x, slots, weights } = call.in;
      const drows = call.grad.rows!;
      return {
        x: call.needs('x') ? m.collect(call, drows, slots!, weights) : undefined,
        weights: needsWeights(call) ? m.dots(call, x!, drows, slots!) : undefined,
      };
    },
  };
}

/** Combine and its gradient. */
export function combineBy(m: Movement): Implementation {
  return {
    forward: (call) => {
      const { rows, slots, weights } = call.in;
      return { y: m.collect(call, rows!, slots!, weights) };
    },
    backward: (call) => {
      const { rows, source, slots, weights } = call.in;
      const dy = call.grad.y!;
      return {
        rows: call.needs('rows') ? m.spread(call, dy, source!, weights, slots!.shape[1]) : undefined,
        weights: needsWeights(call) ? m.dots(call, dy, rows!, slots!) : undefined,
      };
    },
  };
}
