/** A fingerprint of weights and losses: equal exactly when every bit is equal. */
import { sha256 } from '@noble/hashes/sha2.js';
import { bytesToHex, utf8ToBytes } from '@noble/hashes/utils.js';
import { treeEntries, type Tree } from '../tensor/tree.js';

/**
 * sha256, as 64 hexadecimal digits, over names, shapes, dtypes and bits of the weights in order of their names, and
 * over the losses as f64 bits. Backend `wasm` gives the same fingerprint on every machine and number of threads.
 */
export async function fingerprint(params: Tree, losses: ArrayLike<number> = []): Promise<string> {
  const hash = sha256.create();
  const entries = treeEntries(params).sort(([a], [b]) => (a < b ? -1 : 1));
  for (const [path, t] of entries) {
    hash.update(utf8ToBytes(`${path} ${t.dtype} [${t.shape.join(',')}]\n`));
    const values = await t.data();
    hash.update(new Uint8Array(values.buffer, values.byteOffset, values.byteLength));
  }
  const bits = Float64Array.from(losses);
  hash.update(utf8ToBytes(`losses ${bits.length}\n`)).update(new Uint8Array(bits.buffer));
  return bytesToHex(hash.digest());
}
