/**
 * Runs the vectors of an export on a device and compares. `create` is the create function of launch.mjs, `vectors` the
 * content of vectors.json. Gives one line a tensor; `ok` is false for a difference above what is allowed, and for NaN.
 */

interface VectorTensor {
  shape: readonly number[];
  dtype: 'f32' | 'f16' | 'i32' | 'u32';
  data: string;
  allowed?: number;
}

interface Vector {
  name: string;
  dtype: 'f32' | 'f16';
  parameters: Record<string, unknown>;
  inputs: Record<string, VectorTensor>;
  outputs: Record<string, VectorTensor>;
  outputGradients: Record<string, VectorTensor>;
  gradients: Record<string, VectorTensor>;
}

/** One comparison; `skipped` says why there was none. */
export interface Checked {
  vector: string;
  tensor: string;
  ok: boolean;
  error: number;
  allowed: number;
  skipped?: string;
}

type Buffers = Record<string, GPUBuffer>;
type Spec = { shape: readonly number[]; dtype: string };
interface LaunchPlan {
  forward(encoder: GPUCommandEncoder, inputs: Buffers): Buffers;
  backward(encoder: GPUCommandEncoder, outputGradients: Buffers): Buffers;
  destroy(): void;
}
export interface Launches {
  plan(shapes: Record<string, Spec>, parameters: object, options: object): Promise<LaunchPlan>;
}

export async function check(
  device: GPUDevice,
  create: (device: GPUDevice, options?: object) => Launches,
  vectors: { vectors: readonly Vector[] },
  options: object = {},
): Promise<Checked[]> {
  const launcher = create(device, options);
  const found: Checked[] = [];
  for (const vector of vectors.vectors) {
    if (vector.dtype === 'f16' && !device.features.has('shader-f16')) {
      const skipped = 'the device lacks shader-f16';
      found.push({ vector: `${vector.name} f16`, tensor: '', ok: true, error: 0, allowed: 0, skipped });
    } else found.push(...(await checkVector(device, launcher, vector)));
  }
  return found;
}

async function checkVector(device: GPUDevice, launcher: Launches, vector: Vector): Promise<Checked[]> {
  const shapes = Object.fromEntries(
    Object.entries(vector.inputs).map(([name, { shape, dtype }]) => [name, { shape, dtype }]),
  );
  const backward = Object.keys(vector.gradients).length > 0;
  const options = backward ? { dtype: vector.dtype, gradients: 'all' } : { dtype: vector.dtype };
  const plan = await launcher.plan(shapes, vector.parameters, options);
  const inputs = upload(device, vector.inputs);
  const seeds = upload(device, vector.outputGradients);
  const encoder = device.createCommandEncoder();
  const outputs = plan.forward(encoder, inputs);
  const gradients = backward ? plan.backward(encoder, seeds) : {};
  const pending = [
    ...Object.entries(vector.outputs).map(([name, t]) => ({ name, t, buffer: outputs[name] })),
    ...Object.entries(vector.gradients).map(([name, t]) => ({
      name: `gradient of ${name}`,
      t,
      buffer: gradients[name],
    })),
  ].map(({ name, t, buffer }) => ({ name, t, staging: copyOut(device, encoder, t, buffer) }));
  device.queue.submit([encoder.finish()]);
  const found: Checked[] = [];
  for (const { name, t, staging } of pending) {
    const error = distance(await read(staging, t), decode(t.data, t.dtype === 'f16' ? 'f32' : t.dtype));
    const allowed = t.allowed ?? 0;
    found.push({
      vector: `${vector.name} ${vector.dtype}`,
      tensor: name,
      ok: error <= allowed,
      error,
      allowed,
    });
  }
  for (const buffer of [...Object.values(inputs), ...Object.values(seeds)]) buffer.destroy();
  plan.destroy();
  return found;
}

const size = (shape: readonly number[]) => shape.reduce((p, n) => p * n, 1);

/** Usage numbers: STORAGE 128, COPY_DST 8, COPY_SRC 4, MAP_READ 1. */
function upload(device: GPUDevice, tensors: Record<string, VectorTensor>): Buffers {
  return Object.fromEntries(
    Object.entries(tensors).map(([name, t]) => {
      const bytes = Uint8Array.from(atob(t.data), (c) => c.charCodeAt(0));
      const buffer = device.createBuffer({
        size: Math.max(32, Math.ceil(bytes.length / 4) * 4),
        usage: 128 | 8,
        mappedAtCreation: true,
      });
      new Uint8Array(buffer.getMappedRange()).set(bytes);
      buffer.unmap();
      return [name, buffer];
    }),
  );
}

function copyOut(device: GPUDevice, encoder: GPUCommandEncoder, t: VectorTensor, from: GPUBuffer): GPUBuffer {
  const bytes = Math.max(4, Math.ceil((size(t.shape) * (t.dtype === 'f16' ? 2 : 4)) / 4) * 4);
  const staging = device.createBuffer({ size: bytes, usage: 1 | 8 });
  encoder.copyBufferToBuffer(from, 0, staging, 0, bytes);
  return staging;
}

async function read(staging: GPUBuffer, t: VectorTensor): Promise<Float64Array> {
  await staging.mapAsync(1);
  const bytes = new Uint8Array(staging.getMappedRange()).slice();
  staging.destroy();
  return numbers(bytes.buffer, t.dtype).slice(0, size(t.shape));
}

function decode(data: string, dtype: VectorTensor['dtype']): Float64Array {
  return numbers(Uint8Array.from(atob(data), (c) => c.charCodeAt(0)).buffer, dtype);
}

function numbers(bytes: ArrayBuffer, dtype: VectorTensor['dtype']): Float64Array {
  if (dtype === 'f32') return Float64Array.from(new Float32Array(bytes));
  if (dtype === 'i32') return Float64Array.from(new Int32Array(bytes));
  if (dtype === 'u32') return Float64Array.from(new Uint32Array(bytes));
  return Float64Array.from(new Uint16Array(bytes), (bits) => {
    const exponent = (bits >> 10) & 31;
    const fraction = bits & 1023;
    const value =
      exponent === 31
        ? fraction
          ? NaN
          : Infinity
        : exponent
          ? 2 ** (exponent - 15) * (1 + fraction / 1024)
          : 2 ** -24 * fraction;
    return bits & 0x8000 ? -value : value;
  });
}

/** Root mean square of the difference; NaN when the lengths differ. */
function distance(actual: Float64Array, expected: Float64Array): number {
  if (actual.length !== expected.length) return NaN;
  let sum = 0;
  for (let i = 0; i < actual.length; i++) sum += (actual[i] - expected[i]) ** 2;
  return Math.sqrt(sum / Math.max(1, actual.length));
}
