/** Matrix products on WASM SIMD: packed, register-blocked, threads over fixed tiles. */
import * as calls from '../../cpu/wasm/calls.js';
import { allocate, type Implementation } from '../../tensor/operator.js';
import { planMatmul } from './reference.js';

export const matmulWasm: Implementation = {
  forward: (call) => {
    const { batch, m, n, k, sharedB, shape } = planMatmul(call);
    const y = allocate(call, shape);
    const { transposeA, transposeB } = call.params;
    const at = (name: string) => call.in[name]?.pointer('ops/matmul') ?? 0;
    calls.gemm({
      batch,
      m,
      n,
      k,
      a: at('a'),
      b: at('b'),
      c: y.pointer('ops/matmul'),
      bias: at('bias'),
      aRow: transposeA ? 1 : k,
      aCol: transposeA ? m : 1,
      bRow: transposeB ? 1 : n,
      bCol: transposeB ? k : 1,
      strideB: sharedB ? 0 : k * n,
    });
    return { y };
  },
};
