/** The reader of rwkv.cpp's model files: what it reads, and what it says of files that are not right. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DataError } from '../../lib/core/errors.js';
import { getFloat16Bits } from '../../lib/core/float16.js';
import '../../lib/cpu/index.js';
import { rwkvConfig, rwkvParameters } from '../../lib/nn/rwkv/config.js';
import { decodeRwkv } from '../../lib/nn/rwkv-file.js';

interface Entry {
  name: string;
  /** Fastest axis first, as in the file. */
  shape: number[];
  type?: number;
  data?: number[];
}

const ENTRIES: Entry[] = [
  { name: 'emb.weight', shape: [2, 3], type: 1, data: [1, 2, 3, -0.5, 0.25, 65504] },
  { name: 'blocks.0.ln1.weight', shape: [2], data: [0.1, -7] },
  { name: 'head.weight', shape: [2, 3], type: 1, data: [0, 0, 0, 0, 0, 6e-8] },
];

const int = (...values: number[]) => [...new Uint8Array(Int32Array.from(values).buffer)];

function entryBytes({ name, shape, type = 0, data }: Entry): number[] {
  const count = shape.reduce((a, b) => a * b, 1);
  const numbers = data ?? new Array<number>(count).fill(0);
  const raw =
    type === 0
      ? new Uint8Array(Float32Array.from(numbers).buffer)
      : new Uint8Array(Uint16Array.from(numbers, getFloat16Bits).buffer);
  const text = new TextEncoder().encode(name);
  return [...int(shape.length, text.length, type, ...shape), ...text, ...raw];
}

const header = (
  change: Partial<Record<'magic' | 'version' | 'vocabulary' | 'width' | 'layers' | 'type', number>> = {},
) => {
  const { magic = 0x67676d66, version = 101, vocabulary = 3, width = 2, layers = 1, type = 1 } = change;
  return int(magic, version, vocabulary, width, layers, type);
};

const file = (entries = ENTRIES, head = header()) =>
  Uint8Array.from([...head, ...entries.flatMap(entryBytes)]);

describe('a file of rwkv.cpp', () => {
  it('is read into row-major shapes; FP16 is widened exactly', () => {
    const { tensors, ...sizes } = decodeRwkv(file());
    expect(sizes).toEqual({ version: 101, vocabulary: 3, width: 2, layers: 1, stored: 'f16' });
    const embedding = tensors.get('emb.weight')!;
    expect(embedding.shape).toEqual([3, 2]);
    expect(embedding.stored).toBe('f16');
    expect([...embedding.data]).toEqual([1, 2, 3, -0.5, 0.25, 65504]);
    expect([...tensors.get('blocks.0.ln1.weight')!.data]).toEqual([Math.fround(0.1), -7]);
    expect(tensors.get('head.weight')!.data[5]).toBe(2 ** -24);
  });

  it('may be of version 100, and may stand anywhere in a buffer', () => {
    const bytes = file(ENTRIES, header({ version: 100 }));
    const shifted = new Uint8Array(bytes.length + 3);
    shifted.set(bytes, 3);
    expect(decodeRwkv(shifted.subarray(3)).tensors.get('emb.weight')!.data[1]).toBe(2);
  });
});

describe('a malformed file is told what is wrong with it', () => {
  const [first, middle, last] = ENTRIES;
  const cases: [string, Uint8Array, string | RegExp][] = [
    ['nothing', new Uint8Array(0), 'decodeRwkv: file must hold a header of 24 bytes, got 0'],
    [
      'another magic number',
      file(ENTRIES, header({ magic: 0x12345678 })),
      'must start with 0x67676d66, got 0x12345678',
    ],
    [
      'the other byte order',
      file(ENTRIES, header({ magic: 0x666d6767 })),
      'got 0x666d6767; the file is big-endian',
    ],
    ['GGUF', file(ENTRIES, header({ magic: 0x46554747 })), 'this is a GGUF file, not one of rwkv.cpp'],
    ['a PyTorch archive', file(ENTRIES, header({ magic: 0x04034b50 })), 'convert it with rwkv.cpp'],
    ['another version', file(ENTRIES, header({ version: 102 })), 'version must be 100 or 101, got 102'],
    ['no layers', file(ENTRIES, header({ layers: 0 })), 'n_layer must be positive, got 0'],
    ['a negative vocabulary', file(ENTRIES, header({ vocabulary: -3 })), 'n_vocab must be positive, got -3'],
    [
      'a quantised file',
      file(ENTRIES, header({ type: 7 })),
      'data type of the file must be 0 (FP32) or 1 (FP16), got 7 (Q5_0)',
    ],
    [
      'a quantised tensor',
      file([{ ...first, type: 2 }, middle, last]),
      'data type of "emb.weight" must be 0 (FP32) or 1 (FP16), got 2 (Q4_0)',
    ],
    ['an unknown type', file([{ ...first, type: 77 }]), 'must be 0 (FP32) or 1 (FP16), got 77'],
    [
      'too many axes',
      Uint8Array.from([...header(), ...int(5, 1, 0)]),
      'parameter 0 at byte 24 must have 1 to 4 axes, got 5',
    ],
    ['no name', Uint8Array.from([...header(), ...int(1, 0, 0)]), 'must have a name of 1 to 512 bytes, got 0'],
    [
      'an endless name',
      Uint8Array.from([...header(), ...int(1, 1 << 30, 0)]),
      'must have a name of 1 to 512 bytes, got 1073741824',
    ],
    [
      'an axis of no size',
      file([{ ...first, shape: [2, 0], data: [] }]),
      'shape of "emb.weight" must be positive, got [2, 0]',
    ],
    [
      'a huge tensor',
      file([{ ...first, shape: [1 << 30, 1 << 30], data: [] }]),
      /must have 2305843009213694000 bytes/,
    ],
    [
      'a name that is no text',
      Uint8Array.from([...header(), ...int(1, 2, 0, 1), 0xff, 0xfe, 0, 0, 0, 0]),
      'must be UTF-8',
    ],
    [
      'a name with spaces',
      file([{ ...first, name: 'emb weight' }]),
      'must be printable without spaces, got "emb weight"',
    ],
    ['a name twice', file([first, first]), 'names must differ, got "emb.weight" twice'],
    ['no embedding', file([middle, last]), 'file must hold emb.weight, got 2 other parameters'],
    [
      'an embedding of other sizes',
      file(ENTRIES, header({ width: 4 })),
      'shape of emb.weight must be [n_vocab, n_embed] = [3,4], got [3, 2]',
    ],
    [
      'fewer layers',
      file(ENTRIES, header({ layers: 2 })),
      'file must hold n_layer = 2 blocks, got none of number 1; it is cut off',
    ],
    [
      'more layers',
      file([...ENTRIES, { name: 'blocks.4.x', shape: [1] }]),
      'file must hold n_layer = 1 blocks, got 2, up to number 4',
    ],
    [
      'left-over bytes',
      Uint8Array.from([...file(), 1, 2, 3]),
      /parameter 3 at byte \d+ must have 12 bytes before its shape, got 3; the file is cut off/,
    ],
  ];
  it.each(cases)('%s', (_, bytes, message) => {
    expect(() => decodeRwkv(bytes)).toThrow(DataError);
    expect(() => decodeRwkv(bytes)).toThrow(message);
  });

  it('cut anywhere', () => {
    const whole = file();
    for (let length = 0; length < whole.length; length++)
      expect(() => decodeRwkv(whole.subarray(0, length)), `${length}`).toThrow(DataError);
  });

  it('of very many blocks is refused like one of few, and what is not bytes by its kind', () => {
    const blocks = Array.from({ length: 130_000 }, (_, i) =>
      entryBytes({ name: `blocks.${i}.x`, shape: [1] }),
    );
    const bytes = Uint8Array.from([file(), ...blocks].flatMap((part) => [...part]));
    expect(() => decodeRwkv(bytes)).toThrow(
      'file must hold n_layer = 1 blocks, got 130000, up to number 129999',
    );
    expect(() => decodeRwkv(new ArrayBuffer(4) as never)).toThrow(
      'decodeRwkv: bytes must be a Uint8Array, got ArrayBuffer',
    );
  });

  it('any other bytes are read or refused, never anything else', () => {
    const whole = file();
    fc.assert(
      fc.property(fc.nat(whole.length - 1), fc.nat(255), (at, value) => {
        const bytes = whole.slice();
        bytes[at] = value;
        try {
          decodeRwkv(bytes);
        } catch (error) {
          expect(error).toBeInstanceOf(DataError);
        }
      }),
      { numRuns: 400, seed: 5 },
    );
  });
});

describe('a readable file that is no model known here', () => {
  it('is refused by name', () => {
    expect(() => rwkvConfig(decodeRwkv(file()))).toThrow(
      'rwkvConfig: file must hold blocks.0.ffn.key.weight, got none',
    );
    const other = [...ENTRIES, { name: 'blocks.0.ffn.key.weight', shape: [2, 8] }];
    expect(() => rwkvParameters(decodeRwkv(file(other)))).toThrow(
      'rwkvConfig: file must hold an RWKV-5.2 or RWKV-7 model, got another architecture',
    );
  });
});
