/** Programs that write to the file descriptors 1 and 2 themselves (loggers, runtimes of WebAssembly) mean the cell. */
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import type { Outputs } from './output.js';

type Write = (fd: unknown, chunk: unknown, ...rest: unknown[]) => unknown;
type Done = (error: Error | null, written: number, chunk: unknown) => void;

/** The bytes a call of fs.write means: `(fd, text, position?, encoding?)` or `(fd, view, offset?, length?)`. */
function bytesOf(chunk: unknown, [first, second]: readonly unknown[]): Uint8Array | undefined {
  if (typeof chunk === 'string')
    return Buffer.from(chunk, typeof second === 'string' ? (second as BufferEncoding) : 'utf8');
  if (!ArrayBuffer.isView(chunk)) return undefined;
  const all = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
  // Options as an object are rare and go to Node, which checks them.
  if (typeof first === 'object' && first !== null) return undefined;
  const offset = typeof first === 'number' ? first : 0;
  return all.subarray(offset, typeof second === 'number' ? offset + second : undefined);
}

/** Sends what a cell writes to the descriptors of stdout and stderr to the cell. */
export function captureDescriptors(outputs: Outputs): void {
  const functions = fs as unknown as { writeSync: Write; write: Write };
  const shown = (fd: unknown, chunk: unknown, rest: readonly unknown[]): number | undefined => {
    if ((fd !== 1 && fd !== 2) || !outputs.owner()) return undefined;
    const bytes = bytesOf(chunk, rest);
    if (bytes) (fd === 1 ? process.stdout : process.stderr).write(bytes);
    return bytes?.byteLength;
  };
  const { write, writeSync } = functions;
  functions.writeSync = (fd, chunk, ...rest) => shown(fd, chunk, rest) ?? writeSync(fd, chunk, ...rest);
  const later: Write = (fd, chunk, ...rest) => {
    const done = rest.at(-1);
    const written = typeof done === 'function' ? shown(fd, chunk, rest) : undefined;
    if (written === undefined) return write(fd, chunk, ...rest);
    process.nextTick(done as Done, null, written, chunk);
    return undefined;
  };
  // util.promisify(fs.write) gives an object, by a property of the function.
  functions.write = Object.defineProperties<Write>(later, Object.getOwnPropertyDescriptors(write));
  syncBuiltinESMExports();
}
