/** Temporary host memory for the passes of one call. */
import { hostMemory, type HostBlock } from '../../tensor/host-memory.js';

/** Runs `use` with temporary memory of the given sizes (bytes; 0 gives address 0). */
export function withTemporary<R>(sizes: readonly number[], use: (...addresses: number[]) => R): R {
  const blocks: HostBlock[] = [];
  try {
    const addresses = sizes.map((bytes) => {
      if (bytes === 0) return 0;
      const block = hostMemory.allocate(bytes);
      blocks.push(block);
      return block.ptr;
    });
    return use(...addresses);
  } finally {
    for (const block of blocks) hostMemory.release(block);
  }
}
