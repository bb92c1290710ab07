/** Products of row groups on WASM SIMD: the tiles of all groups are shared among the threads. */
import { wasmKernels } from '../../cpu/wasm/module.js';
import { withTemporary } from '../../cpu/wasm/temporary.js';
import { parallelFor } from '../../cpu/wasm/threads.js';
import { hostMemory } from '../../tensor/host-memory.js';
import { allocate, type Call, type Implementation } from '../../tensor/operator.js';

/** Multiplications below which threads cost more than they bring. */
const SMALL = 1 << 17;

/** Units a thread takes at once. */
function grain(work: number, units: number): number {
  return work < SMALL ? units : Math.max(1, Math.ceil(units / 16));
}

export const groupedMatmulWasm: Implementation = {
  forward: (call) => {
    const id = call.op.id;
    const { N, D, F, E } = call.dims;
    const { rows, weights, offsets } = call.in;
    const y = allocate(call, [N, F]);
    const at = offsets!.dataSync();
    const out = y.floats(id);
    out.fill(0, 0, at[0] * F);
    out.fill(0, at[E] * F);
    const [bRow, bCol] = call.params.transpose ? [1, D] : [F, 1];
    const strides = [bRow, bCol, D * F];
    withTemporary([4 * (E + 1)], (first) => {
      const units = countUnits(call, at, hostMemory.i32(first, E + 1));
      parallelFor(
        ...(['groupedGemm', units, grain((at[E] - at[0]) * D * F, units), first] as const),
        ...[offsets!.pointer(id), rows!.pointer(id), weights!.pointer(id)],
        ...[...strides, y.pointer(id), F, D],
      );
    });
    return { y };
  },
};

/** Writes the number of the first tile of each group; the number of all tiles. */
function countUnits(call: Call, offsets: ArrayLike<number>, first: Int32Array): number {
  const { E, F } = call.dims;
  let units = 0;
  for (let e = 0; e < E; e++) {
    first[e] = units;
    units += wasmKernels().gemmTiles(1, offsets[e + 1] - offsets[e], F);
  }
  first[E] = units;
  return units;
}

export const groupedOuterWasm: Implementation = {
  forward: (call) => {
    const id = call.op.id;
    const { D, F, E } = call.dims;
    const { a, b, offsets } = call.in;
    const y = allocate(call, [E, D, F]);
    const at = offsets!.dataSync();
    const out = y.floats(id);
    for (let e = 0; e < E; e++) if (at[e] === at[e + 1]) out.fill(0, e * D * F, (e + 1) * D * F);
    const tiles = wasmKernels().gemmTiles(1, D, F);
    parallelFor(
      ...(['groupedOuter', E * tiles, grain((at[E] - at[0]) * D * F, E * tiles), tiles] as const),
      ...[offsets!.pointer(id), a!.pointer(id), b!.pointer(id), y.pointer(id), D, F],
    );
    return { y };
  },
};
