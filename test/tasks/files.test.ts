import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { DataError } from '../../lib/core/errors.js';
import {
  appendLine,
  environment,
  fileSize,
  folderOf,
  listFiles,
  readBytes,
  sha256File,
  withLock,
  writeAtomic,
  writeOnce,
} from '../../lib/tasks/files.js';
import { temporaryFolder } from './temporary.js';

describe('writeAtomic', () => {
  it('writes text and bytes, makes folders and replaces a file', async () => {
    const path = join(temporaryFolder(), 'sub', 'file.txt');
    await writeAtomic(path, 'grün');
    expect(readFileSync(path, 'utf8')).toBe('grün');
    await writeAtomic(path, new Uint8Array([1, 2]));
    expect(Array.from(await readBytes(path))).toEqual([1, 2]);
    expect(readdirSync(join(path, '..'))).toEqual(['file.txt']);
  });

  it('leaves the old file and no temporary one when the disk fills up in the middle', async () => {
    const folder = temporaryFolder();
    const path = join(folder, 'weights.bin');
    await writeAtomic(path, 'old');
    let calls = 0;
    const full = {
      write: (descriptor: number, data: Uint8Array, offset: number): number => {
        if (calls++ > 0) throw Object.assign(new Error('no space'), { code: 'ENOSPC' });
        return writeSync(descriptor, data, offset, 3);
      },
    };
    const attempt = writeAtomic(path, 'a much longer new content', full);
    await expect(attempt).rejects.toThrow(DataError);
    await expect(attempt).rejects.toThrow(/ENOSPC: the disk is full.*old file, if any, is unchanged/);
    expect(readFileSync(path, 'utf8')).toBe('old');
    expect(readdirSync(folder)).toEqual(['weights.bin']);
    await expect(writeAtomic(path, 'x', { write: () => 0 })).rejects.toThrow(/ENOSPC/);
  });

  it('continues after a write that took only part of the bytes', async () => {
    const path = join(temporaryFolder(), 'f');
    await writeAtomic(path, 'abcdefgh', { write: (d, data, offset) => writeSync(d, data, offset, 1) });
    expect(readFileSync(path, 'utf8')).toBe('abcdefgh');
  });

  it('names a path that cannot be written', async () => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, 'file'), '');
    await expect(writeAtomic(join(folder, 'file', 'x'), 'y')).rejects.toThrow(/must be writable/);
    mkdirSync(join(folder, 'taken'));
    await expect(writeAtomic(join(folder, 'taken'), 'y')).rejects.toThrow(/must be writable/);
    expect(readdirSync(folder).sort()).toEqual(['file', 'taken']);
  });

  it('keeps one whole version when two writers meet', async () => {
    const path = join(temporaryFolder(), 'f');
    const texts = Array.from({ length: 8 }, (_, i) => String(i).repeat(50000));
    await Promise.all(texts.map((text) => writeAtomic(path, text)));
    expect(texts).toContain(readFileSync(path, 'utf8'));
  });
});

describe('file helpers', () => {
  it('append lines, list files below a folder, hash and measure them', async () => {
    const folder = temporaryFolder();
    await appendLine(join(folder, 'b', 'log.jsonl'), '{"a":1}');
    await appendLine(join(folder, 'b', 'log.jsonl'), '{"a":2}');
    await writeAtomic(join(folder, 'a.json'), 'abc');
    expect(readFileSync(join(folder, 'b', 'log.jsonl'), 'utf8')).toBe('{"a":1}\n{"a":2}\n');
    expect(await listFiles(folder)).toEqual(['a.json', 'b/log.jsonl']);
    expect(await listFiles(folder, '.json')).toEqual(['a.json']);
    expect(await listFiles(join(folder, 'none'))).toEqual([]);
    expect(await sha256File(join(folder, 'a.json'))).toBe(
      'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad',
    );
    expect(await fileSize(join(folder, 'a.json'))).toBe(3);
    expect(await fileSize(folder)).toBeUndefined();
    expect([folderOf('a/b/c'), folderOf('c'), folderOf('a\\b')]).toEqual(['a/b', '.', 'a']);
    expect(environment('ASSAY_THIS_IS_NOT_SET')).toBeUndefined();
  });

  it('name the file that is missing', async () => {
    const path = join(temporaryFolder(), 'none');
    await expect(readBytes(path)).rejects.toThrow(/readBytes: .*none must be a readable file, got ENOENT/);
    await expect(sha256File(path)).rejects.toThrow(DataError);
  });

  it('writeOnce refuses to change a file', async () => {
    const path = join(temporaryFolder(), 'run.json');
    await writeOnce(path, 'x');
    await writeOnce(path, 'x');
    await expect(writeOnce(path, 'y')).rejects.toThrow(/must not exist with other content/);
    expect(readFileSync(path, 'utf8')).toBe('x');
  });

  it('withLock excludes others, is released after an error, and takes over the lock of a dead process', async () => {
    const path = join(temporaryFolder(), 'f');
    await withLock(path, async () => {
      await expect(withLock(path, async () => 1)).rejects.toThrow(/must not be in use/);
    });
    await expect(withLock(path, () => Promise.reject(new Error('inner')))).rejects.toThrow('inner');
    expect(existsSync(`${path}.lock`)).toBe(false);
    writeFileSync(`${path}.lock`, '999999999');
    expect(await withLock(path, async () => 7)).toBe(7);
  });
});
