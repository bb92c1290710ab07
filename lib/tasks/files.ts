/** File access for Node: the only file of lib/tasks that touches node: modules. In a browser every call throws. */
import type * as Crypto from 'node:crypto';
import type * as Fs from 'node:fs';
import type * as Os from 'node:os';
import { CancelledError, DataError } from '../core/errors.js';

/** A module of Node, asked for at the call so that bundles for a browser hold no import of it. */
function builtin(name: string): unknown {
  const host = (globalThis as { process?: { getBuiltinModule?: (name: string) => unknown } }).process;
  const module = host?.getBuiltinModule?.(name);
  if (!module)
    throw new DataError(`files: ${name} must be available, got a runtime without it; use Node >= 20.19`);
  return module;
}
const fileSystem = (): typeof Fs => builtin('node:fs') as typeof Fs;

const codeOf = (error: unknown): string => (error as { code?: string }).code ?? '';

/** The file calls of `writeAtomic` that a test may replace. */
export interface WriteCalls {
  write(descriptor: number, data: Uint8Array, offset: number): number;
}

let temporaries = 0;

/** Folder part of a path; '.' when it has none. */
export function folderOf(path: string): string {
  const end = Math.max(path.lastIndexOf('/'), path.lastIndexOf('\\'));
  return end < 0 ? '.' : path.slice(0, end) || '/';
}

/** Joins a folder and a relative path with '/', which every platform's Node accepts. */
export function joinPath(folder: string, path: string): string {
  return folder === '' ? path : `${folder.replace(/[/\\]+$/, '')}/${path}`;
}

/** An environment variable; undefined where there is none. */
export function environment(name: string): string | undefined {
  const host = (globalThis as { process?: { env?: Record<string, string | undefined> } }).process;
  return host?.env?.[name] || undefined;
}

/** Contents of a file. */
export async function readBytes(path: string): Promise<Uint8Array> {
  try {
    return new Uint8Array(await fileSystem().promises.readFile(path));
  } catch (error) {
    throw new DataError(`readBytes: ${path} must be a readable file, got ${codeOf(error)}`, { cause: error });
  }
}

/** Size in bytes; undefined when there is no such file. */
export async function fileSize(path: string): Promise<number | undefined> {
  try {
    const status = await fileSystem().promises.stat(path);
    return status.isFile() ? status.size : undefined;
  } catch {
    return undefined;
  }
}

/**
 * Replaces a file whole or not at all: writes a temporary file beside it, flushes it to the disk, renames it.
 *
 * @throws DataError when the disk is full or not writable; the old file is then intact and the temporary one removed.
 */
export async function writeAtomic(
  path: string,
  data: Uint8Array | string,
  calls: Partial<WriteCalls> = {},
): Promise<void> {
  const fs = fileSystem();
  const bytes = typeof data === 'string' ? new TextEncoder().encode(data) : data;
  const write = calls.write ?? ((descriptor, chunk, offset) => fs.writeSync(descriptor, chunk, offset));
  const unique = (globalThis as { process?: { pid?: number } }).process?.pid ?? 0;
  const temporary = `${path}.${unique}.${temporaries++}.tmp`;
  try {
    fs.mkdirSync(folderOf(path), { recursive: true });
    const descriptor = fs.openSync(temporary, 'wx');
    try {
      // A write may take only part of the bytes, and an empty one on a full disk must not loop for ever.
      for (let offset = 0; offset < bytes.length;) {
        const written = write(descriptor, bytes, offset);
        if (!(written > 0)) throw Object.assign(new Error('nothing was written'), { code: 'ENOSPC' });
        offset += written;
      }
      fs.fsyncSync(descriptor);
    } finally {
      fs.closeSync(descriptor);
    }
    await renameOver(temporary, path);
  } catch (error) {
    discard(temporary);
    throw writeError('writeAtomic', path, error, 'the old file, if any, is unchanged');
  }
}

/** Removes a file while another error is on its way: a second error must not hide the first. */
function discard(path: string): void {
  try {
    fileSystem().rmSync(path, { force: true });
  } catch {
    // The file was never made, or its folder is gone.
  }
}

/** Renames; on Windows a virus scanner may hold the target for a moment. */
async function renameOver(from: string, to: string): Promise<void> {
  for (let attempt = 0; ; attempt++) {
    try {
      fileSystem().renameSync(from, to);
      return;
    } catch (error) {
      const busy = codeOf(error) === 'EPERM' || codeOf(error) === 'EBUSY' || codeOf(error) === 'EACCES';
      if (!busy || attempt >= 5) throw error;
      await new Promise((resolve) => setTimeout(resolve, 20 * (attempt + 1)));
    }
  }
}

function writeError(name: string, path: string, error: unknown, state: string): DataError {
  const code = codeOf(error);
  const reason =
    code === 'ENOSPC' || code === 'EDQUOT'
      ? `${code}: the disk is full; free some space`
      : `${code || (error as Error).message}; choose a folder you may write to`;
  return new DataError(`${name}: ${path} must be writable, got ${reason} (${state})`, { cause: error });
}

/** Writes a file that must never change: fine when it already holds these bytes, an error when it holds others. */
export async function writeOnce(path: string, data: string): Promise<void> {
  if ((await fileSize(path)) === undefined) return writeAtomic(path, data);
  if (new TextDecoder().decode(await readBytes(path)) !== data) {
    throw new DataError(`writeOnce: ${path} must not exist with other content, got a different file`);
  }
}

/** Appends one line and flushes it to the disk; a line that does not fit is taken back. */
export async function appendLine(path: string, line: string): Promise<void> {
  const fs = fileSystem();
  const bytes = new TextEncoder().encode(`${line}\n`);
  try {
    fs.mkdirSync(folderOf(path), { recursive: true });
    const descriptor = fs.openSync(path, 'a');
    const before = fs.fstatSync(descriptor).size;
    try {
      const written = fs.writeSync(descriptor, bytes);
      if (written < bytes.length)
        throw Object.assign(new Error('half a line was written'), { code: 'ENOSPC' });
      fs.fsyncSync(descriptor);
    } catch (error) {
      fs.ftruncateSync(descriptor, before);
      throw error;
    } finally {
      fs.closeSync(descriptor);
    }
  } catch (error) {
    throw writeError('appendLine', path, error, 'earlier lines are unchanged');
  }
}

/** Paths of the files under a folder, relative to it, with '/', sorted; empty when there is no such folder. */
export async function listFiles(folder: string, extension = ''): Promise<string[]> {
  try {
    const entries = await fileSystem().promises.readdir(folder, { recursive: true, withFileTypes: true });
    const clean = (path: string): string => path.replaceAll('\\', '/');
    const prefix = clean(folder).replace(/\/+$/, '').length + 1;
    return entries
      .filter((entry) => entry.isFile() && entry.name.endsWith(extension))
      .map((entry) => clean(joinPath(entry.parentPath, entry.name)).slice(prefix))
      .sort();
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return [];
    throw new DataError(`listFiles: ${folder} must be a readable folder, got ${codeOf(error)}`, {
      cause: error,
    });
  }
}

/** sha256 of a file in hex, read piece by piece. */
export async function sha256File(path: string): Promise<string> {
  const { createHash } = builtin('node:crypto') as typeof Crypto;
  const hash = createHash('sha256');
  try {
    for await (const chunk of fileSystem().createReadStream(path)) hash.update(chunk as Uint8Array);
  } catch (error) {
    throw new DataError(`sha256File: ${path} must be a readable file, got ${codeOf(error)}`, {
      cause: error,
    });
  }
  return hash.digest('hex');
}

/** Moves a file, replacing the target. */
export async function moveFile(from: string, to: string): Promise<void> {
  await renameOver(from, to);
}

/** Removes a file if it is there. */
export async function removeFile(path: string): Promise<void> {
  await fileSystem().promises.rm(path, { force: true });
}

/** Writes chunks to the end of a file, or over it when `append` is false; what arrived stays when the source fails. */
export async function saveChunks(
  path: string,
  chunks: AsyncIterable<Uint8Array>,
  append: boolean,
  signal?: AbortSignal,
): Promise<void> {
  const fs = fileSystem();
  fs.mkdirSync(folderOf(path), { recursive: true });
  const file = await fs.promises.open(path, append ? 'a' : 'w');
  try {
    for await (const chunk of chunks) {
      if (signal?.aborted)
        throw new CancelledError(`saveChunks: ${path} was cancelled; what arrived is kept`);
      try {
        await file.writeFile(chunk);
      } catch (error) {
        throw writeError('saveChunks', path, error, 'what arrived before is kept');
      }
    }
    await file.sync();
  } finally {
    await file.close();
  }
}

/** Runs `work` while holding `path`.lock; a second process gets an error, the lock of a dead one is taken over. */
export async function withLock<T>(path: string, work: () => Promise<T>): Promise<T> {
  const fs = fileSystem();
  const host = (globalThis as unknown as { process: { pid: number; kill(pid: number, signal: 0): void } })
    .process;
  const lock = `${path}.lock`;
  fs.mkdirSync(folderOf(path), { recursive: true });
  for (let attempt = 0; ; attempt++) {
    try {
      fs.writeFileSync(lock, String(host.pid), { flag: 'wx' });
      break;
    } catch (error) {
      if (codeOf(error) !== 'EEXIST') throw writeError('withLock', lock, error, 'nothing was changed');
      if (attempt > 0 || isAlive(lock, host)) {
        throw new DataError(
          `withLock: ${path} must not be in use, got the lock of another process; wait for it`,
        );
      }
      fs.rmSync(lock, { force: true });
    }
  }
  try {
    return await work();
  } finally {
    fs.rmSync(lock, { force: true });
  }
}

function isAlive(lock: string, host: { kill(pid: number, signal: 0): void }): boolean {
  try {
    host.kill(Number(fileSystem().readFileSync(lock, 'utf8')), 0);
    return true;
  } catch (error) {
    return codeOf(error) === 'EPERM';
  }
}

/** Facts of the machine that name neither host nor user. */
export interface MachineFacts {
  platform: string;
  arch: string;
  cpu: string;
  cores: number;
  memoryGiB: number;
  runtime: string;
}

/** The machine this runs on. */
export function machineFacts(): MachineFacts {
  const os = builtin('node:os') as typeof Os;
  const host = (globalThis as unknown as { process: { platform: string; arch: string; version: string } })
    .process;
  return {
    platform: host.platform,
    arch: host.arch,
    cpu: os.cpus()[0]?.model.trim() || 'unknown',
    cores: os.availableParallelism(),
    memoryGiB: Math.round((os.totalmem() / 2 ** 30) * 10) / 10,
    runtime: `Node ${host.version.slice(1)}`,
  };
}
