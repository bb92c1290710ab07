/** Checkpoints as files: replaced atomically, locked while a run uses them. Node only; in a browser calls throw. */
import { fileSize, readBytes, withLock, writeAtomic, type WriteCalls } from '../tasks/files.js';
import type { CheckpointStore } from './checkpoint.js';

/**
 * A store in one file. A full disk leaves the old file as it was; a second run on the same path is refused.
 * @throws DataError from save and load, saying what to do
 */
export function fileCheckpoint(path: string, calls: Partial<WriteCalls> = {}): CheckpointStore {
  return {
    name: path,
    load: async () => ((await fileSize(path)) === undefined ? undefined : readBytes(path)),
    save: (bytes) => writeAtomic(path, bytes, calls),
    exclusive: (work) => withLock(path, work),
  };
}
