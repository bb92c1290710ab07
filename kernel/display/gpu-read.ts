/** The first bytes of a GPU buffer, read back without changing it. */
import { knownDevices } from './gpu-devices.js';
import { peek, text } from './safe.js';

const MAP_READ = 1;
const COPY_SRC = 4;
const COPY_DST = 8;

const USAGES = [
  'MAP_READ',
  'MAP_WRITE',
  'COPY_SRC',
  'COPY_DST',
  'INDEX',
  'VERTEX',
  'UNIFORM',
  'STORAGE',
  'INDIRECT',
  'QUERY_RESOLVE',
];

/** "STORAGE | COPY_SRC" */
export function usageText(usage: number): string {
  return USAGES.filter((_, bit) => usage & (1 << bit)).join(' | ') || 'no usage';
}

/** What could be read, or why nothing could. */
export type BufferBytes = { bytes: Uint8Array } | { why: string };

/** Reads at most `most` bytes from the start of a buffer. */
export async function firstBytes(buffer: GPUBuffer, most: number): Promise<BufferBytes> {
  const bytes = Math.min(buffer.size, most) & ~3;
  if (buffer.mapState !== 'unmapped')
    return {
      why: `its contents are not read while it is ${buffer.mapState === 'pending' ? 'being ' : ''}mapped; unmap() it first`,
    };
  if (bytes === 0)
    return { why: buffer.size === 0 ? 'it has no bytes' : 'fewer than 4 bytes cannot be copied' };
  if (buffer.usage & MAP_READ) return mapped(buffer, bytes, await knownDevices());
  if (buffer.usage & COPY_SRC) return copied(buffer, bytes);
  return {
    why: `it needs the usage COPY_SRC or MAP_READ to be read back, it has ${usageText(buffer.usage)}`,
  };
}

function reason(failure: unknown): string {
  const message = text(peek(failure, 'message') ?? failure);
  if (/destroyed/i.test(message)) return 'destroyed';
  const [first] = message.split('\n');
  // Dawn rejects without a word where the buffer or its device is gone.
  return first === '' ? 'destroyed, or its device is lost' : `reading it back failed: ${first.slice(0, 300)}`;
}

/** Maps and copies; scopes on the devices keep a failure out of the errors of the cell. */
async function mapped(buffer: GPUBuffer, bytes: number, devices: readonly GPUDevice[]): Promise<BufferBytes> {
  let errors: Promise<GPUError | null>[] = [];
  try {
    for (const device of devices) device.pushErrorScope('validation');
    const ready = buffer.mapAsync(MAP_READ, 0, bytes);
    errors = devices.map((device) => device.popErrorScope());
    await ready;
    const copy = new Uint8Array(buffer.getMappedRange(0, bytes)).slice();
    buffer.unmap();
    return { bytes: copy };
  } catch (failure) {
    const told = await Promise.all(errors.map((error) => error.catch(() => null)));
    return { why: reason(told.find((error) => error !== null) ?? failure) };
  }
}

/** Copies with the device that can: with any other the copy is an error of validation and nothing else. */
async function copied(buffer: GPUBuffer, bytes: number): Promise<BufferBytes> {
  let why = 'the device that made it is not known; copy it into a buffer with MAP_READ to see it';
  for (const device of await knownDevices()) {
    const read = await copiedBy(device, buffer, bytes);
    if ('bytes' in read) return read;
    if (read.why === 'destroyed') return read;
    if (!/associated with/.test(read.why)) ({ why } = read);
  }
  return { why };
}

/** Copies through a staging buffer. The scope is closed before anything is awaited, so that no other's errors enter. */
async function copiedBy(device: GPUDevice, buffer: GPUBuffer, bytes: number): Promise<BufferBytes> {
  let staging: GPUBuffer | undefined;
  try {
    device.pushErrorScope('validation');
    let problem: Promise<GPUError | null>;
    try {
      staging = device.createBuffer({ size: bytes, usage: MAP_READ | COPY_DST, label: 'display' });
      const encoder = device.createCommandEncoder();
      encoder.copyBufferToBuffer(buffer, 0, staging, 0, bytes);
      device.queue.submit([encoder.finish()]);
    } finally {
      problem = device.popErrorScope();
    }
    const error = await problem;
    if (error) return { why: reason(error) };
    return await mapped(staging, bytes, [device]);
  } catch (failure) {
    return { why: reason(failure) };
  } finally {
    staging?.destroy();
  }
}
