import { describe, expect, it } from 'vitest';
import { decodeSafetensors, encodeSafetensors, type StoredTensor } from '../../lib/nn/safetensors.js';
import { goldenFile } from './support.js';

/** A file with a hand-written header. */
function file(header: string | Uint8Array, data: number, length?: number): Uint8Array {
  const text = typeof header === 'string' ? new TextEncoder().encode(header) : header;
  const bytes = new Uint8Array(8 + text.length + data);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(length ?? text.length), true);
  bytes.set(text, 8);
  return bytes;
}
const one = (entry: object, name = 'w') => JSON.stringify({ [name]: entry });
const f32 = (shape: number[], data_offsets: unknown) => ({ dtype: 'F32', shape, data_offsets });

describe('the safetensors reader', () => {
  it('reads a file of the Python package in every dtype', () => {
    const { tensors, metadata } = decodeSafetensors(goldenFile('sample.safetensors'));
    expect(metadata).toEqual({ 'written by': 'safetensors for Python', Umlaut: 'ä' });
    const plain = Object.fromEntries(
      Object.entries(tensors).map(([k, t]) => [k, [t.dtype, [...t.shape], Array.from(t.data)]]),
    );
    expect(plain).toEqual({
      f32: ['f32', [2, 3], [0.5, -1.25, Math.fround(3e-39), Math.fround(1e30), 0, -0]],
      f64: ['f64', [2], [0.1, -1e300]],
      f16: ['f32', [4], [0.5, -2, 65504, 5.9604644775390625e-8]],
      bf16: ['f32', [2], [1.5, -3]],
      i32: ['i32', [2], [-2147483648, 2147483647]],
      i64: ['i32', [1, 3], [1, -2, 3]],
      u8: ['i32', [2], [0, 255]],
      bool: ['i32', [3], [1, 0, 1]],
      empty: ['f32', [0, 3], []],
      scalar: ['f32', [], [7]],
    });
    expect(decodeSafetensors(goldenFile('sample.safetensors'), { f16: 'keep' }).tensors.f16).toMatchObject({
      dtype: 'f16',
      data: Uint16Array.from([0x3800, 0xc000, 0x7bff, 1]),
    });
  });

  it('names what is wrong with a damaged file', () => {
    const whole = goldenFile('sample.safetensors');
    for (const cut of [0, 4, 7])
      expect(() => decodeSafetensors(whole.slice(0, cut))).toThrow(/at least 8 bytes/);
    for (const cut of [8, 100])
      expect(() => decodeSafetensors(whole.slice(0, cut))).toThrow(/must hold a header of/);
    expect(() => decodeSafetensors(whole.slice(0, whole.length - 1))).toThrow(
      /data of "bool" must end within the file.*truncated/,
    );
    expect(() => decodeSafetensors(Uint8Array.of(...whole, 0))).toThrow(/must end with its last tensor/);
  });

  it.each([
    ['a header that is too long', file('{}', 0, 2 ** 40), /header must be at most/],
    ['a header that is not UTF-8', file(Uint8Array.of(0x7b, 0xff, 0x7d), 0), /UTF-8/],
    ['a header that is not JSON', file('{"w":', 0), /header must be JSON/],
    ['a header that is no object', file('[1]', 0), /header must be an object/],
    [
      'a name twice',
      file(
        '{"w":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"w" :{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}',
        4,
      ),
      /"w" twice/,
    ],
    [
      'metadata that are no strings',
      file('{"__metadata__":{"a":1}}', 0),
      /__metadata__ must map names to strings/,
    ],
    [
      'an unknown dtype',
      file(one({ dtype: 'F8', shape: [1], data_offsets: [0, 1] }), 1),
      /dtype of "w" must be one of.*got "F8"/,
    ],
    ['a shape that is none', file(one(f32([-1], [0, 4])), 4), /shape of "w"/],
    ['offsets that are none', file(one(f32([1], [4, 0])), 4), /data_offsets of "w"/],
    [
      'offsets beyond the file',
      file(one(f32([2], [0, 8])), 4),
      /data of "w" must end within the file \(4 bytes of data\), got 8/,
    ],
    ['a wrong size', file(one(f32([3], [0, 8])), 8), /data of "w" must have 12 bytes for F32 \[3\], got 8/],
    ['a gap', file(one(f32([1], [4, 8])), 8), /must start where the tensor before ends \(0\), got 4/],
    [
      'an overlap',
      file(JSON.stringify({ a: f32([2], [0, 8]), b: f32([2], [4, 12]) }), 12),
      /"b" must not overlap/,
    ],
    ['an entry that is no object', file('{"w":null}', 0), /dtype of "w"/],
  ])('refuses %s', (_, bytes, message) => {
    expect(() => decodeSafetensors(bytes)).toThrow(message);
  });

  it('refuses wide integers beyond 32 bits and truth values beyond 1', () => {
    const wide = file(one({ dtype: 'I64', shape: [1], data_offsets: [0, 8] }), 8);
    new DataView(wide.buffer).setBigInt64(wide.length - 8, 2n ** 31n, true);
    expect(() => decodeSafetensors(wide)).toThrow(
      /values of "w" \(I64\) must fit into 32 bits, got 2147483648 at 0/,
    );
    const truth = file(one({ dtype: 'BOOL', shape: [1], data_offsets: [0, 1] }), 1);
    truth[truth.length - 1] = 2;
    expect(() => decodeSafetensors(truth)).toThrow(/must be 0 or 1, got 2 at 0/);
  });

  it('never crashes otherwise than with DataError on flipped bytes', () => {
    const whole = goldenFile('sample.safetensors');
    for (let i = 0; i < 700; i++) {
      const bytes = whole.slice();
      bytes[i] ^= 1 << (i % 8);
      try {
        decodeSafetensors(bytes);
      } catch (error) {
        expect((error as Error).name, `byte ${i}: ${String(error)}`).toBe('DataError');
      }
    }
  });
});

describe('the safetensors writer', () => {
  const tensors: Record<string, StoredTensor> = {
    z: { dtype: 'f16', shape: [3], data: Uint16Array.of(1, 2, 3) },
    b: { dtype: 'f32', shape: [2, 1], data: Float32Array.of(1.5, -0) },
    a: { dtype: 'f32', shape: [], data: Float32Array.of(7) },
    ids: { dtype: 'i32', shape: [2], data: Int32Array.of(-1, 5) },
    wide: { dtype: 'f64', shape: [1], data: Float64Array.of(0.1) },
    empty: { dtype: 'u32', shape: [0, 4], data: new Uint32Array(0) },
  };

  it('gives back what was written, bit for bit', () => {
    const back = decodeSafetensors(encodeSafetensors(tensors, { b: '2', a: 'ä"' }), { f16: 'keep' });
    expect(back.metadata).toEqual({ a: 'ä"', b: '2' });
    for (const [name, t] of Object.entries(tensors)) expect(back.tensors[name]).toEqual(t);
    expect(Object.keys(back.tensors).sort()).toEqual(Object.keys(tensors).sort());
  });

  it('aligns the data to 8 bytes and does not depend on the order of names', () => {
    const bytes = encodeSafetensors(tensors, { a: '1', b: '2' });
    expect((8 + new DataView(bytes.buffer).getUint32(0, true)) % 8).toBe(0);
    const reversed = Object.fromEntries(Object.entries(tensors).reverse());
    expect(encodeSafetensors(reversed, { b: '2', a: '1' })).toEqual(bytes);
  });

  it('refuses data that do not fill their shape or are of another type', () => {
    const bad = (t: object) => () =>
      encodeSafetensors({ w: { dtype: 'f32', shape: [2], data: new Float32Array(2), ...t } });
    expect(bad({ shape: [3] })).toThrow(/data of "w" must be 3 elements of f32/);
    expect(bad({ dtype: 'f64' })).toThrow(/2 elements of f64/);
    expect(() => encodeSafetensors({ __metadata__: tensors.a })).toThrow(/must be a tensor name/);
  });
});

it('a file read into a Buffer of Node, which stands in the middle of a pool, decodes like any bytes', () => {
  const bytes = encodeSafetensors({ w: { dtype: 'f32', shape: [3], data: Float32Array.of(1, 2, 3) } });
  const buffer = Buffer.concat([Buffer.from('pad'), bytes]).subarray(3);
  const { data } = decodeSafetensors(buffer).tensors.w;
  expect(Array.from(data)).toEqual([1, 2, 3]);
});
