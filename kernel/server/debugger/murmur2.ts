/** MurmurHash2 (32 bit) of a text's UTF-8 bytes: the name by which JupyterLab and the kernel know a cell's code. */

const FACTOR = 0x5bd1e995;
const encoder = new TextEncoder();

/** Unsigned 32-bit hash of the text under a seed, the same that JupyterLab computes for `hashMethod: 'Murmur2'`. */
export function murmur2(text: string, seed: number): number {
  const bytes = encoder.encode(text);
  const whole = bytes.length & ~3;
  let hash = seed ^ bytes.length;
  for (let i = 0; i < whole; i += 4) {
    let word = bytes[i] | (bytes[i + 1] << 8) | (bytes[i + 2] << 16) | (bytes[i + 3] << 24);
    word = Math.imul(word, FACTOR);
    word = Math.imul(word ^ (word >>> 24), FACTOR);
    hash = Math.imul(hash, FACTOR) ^ word;
  }
  const rest = bytes.length - whole;
  if (rest > 0) {
    for (let i = rest - 1; i >= 0; i--) hash ^= bytes[whole + i] << (8 * i);
    hash = Math.imul(hash, FACTOR);
  }
  hash = Math.imul(hash ^ (hash >>> 13), FACTOR);
  return (hash ^ (hash >>> 15)) >>> 0;
}
