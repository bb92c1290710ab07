/** The process's stdout, stderr and console as cells see them: outputs of the cell that writes. */
import { Console } from 'node:console';
import { StringDecoder } from 'node:string_decoder';
import { inspect } from 'node:util';
import { coloursWanted } from '../display/ansi.js';
import type { Execution } from './executions.js';
import type { Outputs } from './output.js';

type Name = 'stdout' | 'stderr';
type Done = (error?: Error | null) => void;
type Write = (chunk: unknown, encoding?: BufferEncoding | Done, done?: Done) => boolean;

/** Bytes may end in the middle of a character: one decoder for every stream of every execution. */
class Decoders {
  private readonly all = new WeakMap<Execution, Partial<Record<Name, StringDecoder>>>();

  decode(execution: Execution, name: Name, bytes: Uint8Array): string {
    const own = this.all.get(execution) ?? {};
    this.all.set(execution, own);
    own[name] ??= new StringDecoder('utf8');
    return own[name].write(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength));
  }
}

function writer(
  outputs: Outputs,
  decoders: Decoders,
  name: Name,
  original: NodeJS.WriteStream['write'],
): Write {
  return (chunk, encoding, done) => {
    const finished = typeof encoding === 'function' ? encoding : done;
    const execution = outputs.owner();
    if (typeof chunk !== 'string' && !(chunk instanceof Uint8Array))
      throw new TypeError(
        `process.${name}.write: chunk must be a string or a Uint8Array, got ${chunk === null ? 'null' : typeof chunk}; use console.log for other values`,
      );
    if (!execution) return original(chunk, finished);
    const coded = typeof encoding === 'string' && typeof chunk === 'string' && !/^utf-?8$/i.test(encoding);
    const text =
      typeof chunk === 'string' && !coded
        ? chunk
        : decoders.decode(execution, name, coded ? Buffer.from(chunk, encoding) : (chunk as Uint8Array));
    outputs.output({ kind: 'stream', name, text });
    if (finished) process.nextTick(finished, null);
    return true;
  };
}

/** A program may end its stdout; the cells after it still write. */
function ended([chunk, encoding, done]: [unknown?, (BufferEncoding | Done)?, Done?], write: Write): void {
  const finished = [chunk, encoding, done].find((one) => typeof one === 'function') as Done | undefined;
  if (chunk !== undefined && chunk !== null && typeof chunk !== 'function') write(chunk, encoding, done);
  else if (finished) process.nextTick(finished, null);
}

/** Sends what is written to stdout and stderr to the cell that writes it; a closed pipe does not end the kernel. */
export function captureStreams(outputs: Outputs): void {
  const decoders = new Decoders();
  for (const name of ['stdout', 'stderr'] as const) {
    const stream = process[name];
    stream.on('error', () => undefined);
    const write = writer(outputs, decoders, name, stream.write.bind(stream));
    stream.write = write;
    stream.end = ((...last: [unknown?, (BufferEncoding | Done)?, Done?]) => {
      ended(last, write);
      // Pipelines wait for it.
      process.nextTick(() => stream.emit('finish'));
      return stream;
    }) as typeof stream.end;
  }
}

/**
 * On Node 20 the asynchronous context is kept in properties of every promise, and printing a promise would print
 * them. Printing is the moment they are hidden.
 */
export function hideContexts(): void {
  const hidden = new Set(['async_id_symbol', 'trigger_async_id_symbol', 'kResourceStore']);
  const custom = function (this: object): object {
    for (const key of Object.getOwnPropertySymbols(this))
      if (hidden.has(key.description ?? '') && Object.isExtensible(this))
        Object.defineProperty(this, key, { enumerable: false });
    // The value itself: inspection goes on as without this hook.
    return this;
  };
  void Object.defineProperty(Promise.prototype, inspect.custom, {
    value: custom,
    configurable: true,
    writable: true,
  });
}

/**
 * Gives the global console's methods a Console that writes to the cell, and clears the cell's output on
 * console.clear. The inspector no longer sees the messages, so it does not keep their objects alive.
 *
 * @returns ends groups that a cell left open
 */
export function captureConsole(outputs: Outputs): () => void {
  const made = new Console({
    stdout: process.stdout,
    stderr: process.stderr,
    colorMode: coloursWanted(),
    ignoreErrors: true,
  }) as unknown as Record<string, (...values: unknown[]) => void>;
  const target = console as unknown as Record<string, unknown>;
  for (const key of Object.keys(made))
    if (typeof target[key] === 'function' && key !== 'Console') target[key] = made[key];
  let depth = 0;
  const group = (...values: unknown[]): void => {
    depth++;
    made.group(...values);
  };
  const groupEnd = (): void => {
    depth = Math.max(0, depth - 1);
    made.groupEnd();
  };
  const clear = (): void => outputs.output({ kind: 'clear', wait: false });
  Object.assign(target, { group, groupCollapsed: group, groupEnd, clear });
  return () => {
    while (depth > 0) groupEnd();
  };
}
