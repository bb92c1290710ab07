/** Random tensors from an explicit stream: the same words on every backend. */
import { checkShape, sizeOf, type Dims, type Shape } from '../../core/shape.js';
import type { Random } from '../../core/random.js';
import { defineOperator, type Implementation, type Kernel, type Operator } from '../../tensor/operator.js';
import type { Tensor } from '../../tensor/tensor.js';
import { bitsGpu, uniformGpu } from './gpu.js';
import * as reference from './reference.js';

const word = { type: 'integer', minimum: 0, maximum: 4294967295 } as const;

interface Words {
  id: string;
  equation: string;
  cpu: Kernel;
  webgpu: Implementation;
}

function defineWords(w: Words): Operator {
  const stream = { keyLow: 0x12345678, keyHigh: 0xfedcba98 };
  return defineOperator({
    id: w.id,
    summary: `${w.equation} of a Philox4x32-10 stream`,
    equation: `y_i = ${w.equation}(word position + i)`,
    inputs: [],
    outputs: [{ name: 'y', shape: '*', doc: 'the given shape', differentiable: false }],
    parameters: {
      shape: { type: 'integers', default: undefined, required: true, doc: 'shape of the result' },
      keyLow: { ...word, default: 0, doc: 'first word of the key' },
      keyHigh: { ...word, default: 0, doc: 'second word of the key' },
      position: { type: 'integer', default: 0, minimum: 0, doc: 'words taken before' },
    },
    check: (call) => checkShape(w.id, 'shape', call.params.shape),
    forms: { reference: { cpu: { forward: w.cpu } }, parallel: { webgpu: w.webgpu } },
    flops: (d: Dims) => 25 * sizeOf(Object.values(d)),
    bytes: (d: Dims) => 4 * sizeOf(Object.values(d)),
    cases: [
      { name: 'start', dims: { M: 37 }, params: { shape: [37], ...stream } },
      { name: 'middle', dims: { M: 3, N: 5 }, params: { shape: [3, 5], ...stream, position: 4294967293 } },
    ],
    sources: ['Salmon et al. 2011, Parallel random numbers: as easy as 1, 2, 3, section 3.3 (Philox4x32-10)'],
  });
}

const bitsOp = defineWords({
  id: 'ops/random-bits',
  equation: 'bits',
  cpu: reference.bits,
  webgpu: bitsGpu,
});
const uniformOp = defineWords({
  id: 'ops/random-uniform',
  equation: 'uniform',
  cpu: reference.uniform,
  webgpu: uniformGpu,
});

function drawn(op: Operator, random: Random, shape: Shape): Tensor {
  checkShape(op.record.id, 'shape', shape);
  const [keyLow, keyHigh] = random.key;
  const { y } = op({}, { shape: [...shape], keyLow, keyHigh, position: random.position });
  random.seek(random.position + y.size);
  return y;
}

/** u32 words of the stream, which moves on; the same on every backend. */
export function randomBits(random: Random, shape: Shape): Tensor {
  return drawn(bitsOp, random, shape);
}

/** f32 uniforms in [0, 1), multiples of 2^-24, from the stream, which moves on; the same on every backend. */
export function randomUniform(random: Random, shape: Shape): Tensor {
  return drawn(uniformOp, random, shape);
}
