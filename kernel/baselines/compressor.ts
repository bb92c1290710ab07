/** General compressors as a baseline for language models: what the validation part adds to the compressed size. */
import * as zlib from 'node:zlib';

/** Bits per validation byte of one compressor. */
export interface CompressorResult {
  name: string;
  bitsPerByte: number;
}

type Compress = (bytes: Uint8Array) => Uint8Array;
type ZstdZlib = { zstdCompressSync?: (bytes: Uint8Array, options: unknown) => Uint8Array };

/** The compressors of this Node; zstd exists from Node 22.15 on. */
export function compressors(): { name: string; compress: Compress }[] {
  const { constants } = zlib;
  const list: { name: string; compress: Compress }[] = [
    {
      name: 'brotli 11',
      compress: (bytes) =>
        zlib.brotliCompressSync(bytes, {
          params: {
            [constants.BROTLI_PARAM_QUALITY]: 11,
            [constants.BROTLI_PARAM_LARGE_WINDOW]: 1,
            [constants.BROTLI_PARAM_LGWIN]: 28,
            [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length,
          },
        }),
    },
    { name: 'gzip 9', compress: (bytes) => zlib.gzipSync(bytes, { level: 9 }) },
  ];
  const zstd = (zlib as ZstdZlib).zstdCompressSync;
  if (zstd) {
    const level = (constants as unknown as Record<string, number>)['ZSTD_c_compressionLevel'];
    list.push({ name: 'zstd 22', compress: (bytes) => zstd(bytes, { params: { [level]: 22 } }) });
  }
  return list;
}

/**
 * 8 (size(train + validation) - size(train)) / validation bytes for each compressor, best first: like a language model,
 * a compressor may learn from the training part and, unlike it, from the validation part it has passed.
 */
export function compressorBits(bytes: Uint8Array, split: number): CompressorResult[] {
  if (!(Number.isInteger(split) && split >= 0 && split < bytes.length)) {
    throw new RangeError(`compressorBits: split must be an integer in 0..${bytes.length - 1}, got ${split}`);
  }
  return compressors()
    .map(({ name, compress }) => {
      const added = compress(bytes).length - compress(bytes.subarray(0, split)).length;
      return { name, bitsPerByte: (8 * added) / (bytes.length - split) };
    })
    .sort((a, b) => a.bitsPerByte - b.bitsPerByte);
}
