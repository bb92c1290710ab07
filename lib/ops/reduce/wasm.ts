/** Reductions on WASM: trees of fixed shape, so the bits do not depend on the number of threads. */
import * as calls from '../../cpu/wasm/calls.js';
import { parallelFor } from '../../cpu/wasm/threads.js';
import { splitAt } from '../../core/shape.js';
import { allocate, type Implementation } from '../../tensor/operator.js';
import { reducedShape } from './reference.js';

export const sumWasm: Implementation = {
  forward: (call) => {
    const x = call.in.x!;
    const [outer, n, inner] = splitAt(x.shape, call.params.axis as number);
    const y = allocate(call, reducedShape(call));
    if (outer === 1 && inner === 1) y.dataSync()[0] = calls.sum(x.pointer('ops/sum'), n);
    else if (inner === 1) parallelFor('sumRows', outer, 64, x.pointer('ops/sum'), y.pointer('ops/sum'), n);
    else parallelFor('sumMiddle', outer * inner, 256, x.pointer('ops/sum'), y.pointer('ops/sum'), n, inner);
    return { y };
  },
};

export const sumSquaresWasm: Implementation = {
  forward: (call) => {
    const x = call.in.x!;
    const y = allocate(call, []);
    y.dataSync()[0] = calls.squaredNorm(x.pointer('ops/sum-squares'), x.size);
    return { y };
  },
};
