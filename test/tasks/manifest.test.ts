import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { CancelledError, DataError } from '../../lib/core/errors.js';
import {
  cachePath,
  findData,
  listManifests,
  loadBytes,
  loadText,
  manifestOf,
  pullData,
  type DatasetManifest,
  type LoadOptions,
} from '../../lib/tasks/manifest.js';
import { temporaryFolder } from './temporary.js';

const content = Buffer.from(Array.from({ length: 300000 }, (_, i) => (i * i + (i >> 3)) & 0xff));
const sha256 = createHash('sha256').update(content).digest('hex');

let server: Server;
let manifest: DatasetManifest;
let options: LoadOptions & { cache: string };
let ranges: (string | undefined)[];
let answer: (request: IncomingMessage, response: ServerResponse) => void;

/** Serves the content from the start of the range asked for. */
function serve(request: IncomingMessage, response: ServerResponse, body = content): void {
  const start = Number(/bytes=(\d+)-/.exec(request.headers.range ?? '')?.[1] ?? 0);
  const headers: Record<string, string> = { 'content-length': String(body.length - start) };
  if (start > 0) headers['content-range'] = `bytes ${start}-${body.length - 1}/${body.length}`;
  response.writeHead(start > 0 ? 206 : 200, headers);
  response.end(body.subarray(start));
}

/** Sends `count` bytes of what was asked for, then breaks the connection. */
function breakAfter(count: number, request: IncomingMessage, response: ServerResponse): void {
  const start = Number(/bytes=(\d+)-/.exec(request.headers.range ?? '')?.[1] ?? 0);
  const headers: Record<string, string> = { 'content-length': String(content.length - start) };
  if (start > 0) headers['content-range'] = `bytes ${start}-${content.length - 1}/${content.length}`;
  response.writeHead(start > 0 ? 206 : 200, headers);
  response.write(content.subarray(start, start + count), () => setTimeout(() => response.destroy(), 30));
}

beforeEach(async () => {
  ranges = [];
  answer = serve;
  server = createServer((request, response) => {
    ranges.push(request.headers.range);
    answer(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  manifest = {
    name: 'noise',
    about: 'bytes',
    address: `http://127.0.0.1:${port}/noise.bin`,
    source: 'a test',
    licence: 'none',
    redistribute: true,
    bytes: content.length,
    sha256,
    mirror: 'deep/noise.bin',
    users: [],
  };
  const folder = temporaryFolder();
  options = { data: join(folder, 'mirror'), cache: join(folder, 'cache'), manifests: [manifest] };
});

afterEach(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

function put(folder: string, bytes: Uint8Array): void {
  const path = join(folder, manifest.mirror);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, bytes);
}

describe('loading', () => {
  it('takes the mirror first, then the cache', async () => {
    put(options.cache, content);
    expect(await findData('noise', options)).toMatchObject({ from: 'cache' });
    put(options.data ?? '', content);
    expect(await findData('noise', options)).toMatchObject({ from: 'mirror' });
    expect(Buffer.from(await loadBytes('noise', options)).equals(content)).toBe(true);
    expect(ranges).toEqual([]);
  });

  it('never downloads unless told to, and says what to do', async () => {
    const attempt = loadText('noise', options);
    await expect(attempt).rejects.toThrow(DataError);
    await expect(attempt).rejects.toThrow(
      'loadBytes: noise must be on this machine, got neither mirror nor cache; run "npx --no assay data pull noise" (300.0 kB), or set ASSAY_DATA to a folder that holds deep/noise.bin',
    );
    expect(ranges).toEqual([]);
    expect((await loadBytes('noise', { ...options, allowDownload: true })).length).toBe(300000);
    expect(ranges).toHaveLength(1);
    expect(await findData('noise', options)).toMatchObject({ from: 'cache' });
  });

  it('refuses a corrupt or short file, naming expected and got', async () => {
    const corrupt = Buffer.from(content);
    corrupt[1234] ^= 1;
    put(options.data ?? '', corrupt);
    const got = createHash('sha256').update(corrupt).digest('hex');
    await expect(loadBytes('noise', options)).rejects.toThrow(`must have sha256 ${sha256}, got ${got}`);
    put(options.data ?? '', content.subarray(0, 10));
    await expect(loadBytes('noise', options)).rejects.toThrow(/must have 300000 bytes, got 10/);
  });

  it('knows every manifest by name, with sound fields', () => {
    const all = listManifests();
    expect(new Set(all.map((m) => m.name)).size).toBe(all.length);
    for (const m of all) {
      expect(m.sha256).toMatch(/^[0-9a-f]{64}$/);
      expect(m.bytes).toBeGreaterThan(0);
      expect(m.mirror).toMatch(/^[a-z]+\/[A-Za-z0-9_.-]+$/);
      expect(m.address === null || /^https:\/\//.test(m.address)).toBe(true);
      expect(m.licence.length * m.about.length * m.users.length * m.source.length).toBeGreaterThan(0);
    }
    expect(manifestOf('tiny-shakespeare').bytes).toBe(1115394);
    expect(() => manifestOf('shakespear')).toThrow(
      /name must be one of tiny-shakespeare, .*, got "shakespear"/,
    );
  });

  it('finds every data set of an offline mirror intact, where ASSAY_DATA names one', async () => {
    const mirror = process.env['ASSAY_DATA'];
    for (const m of mirror === undefined ? [] : listManifests()) {
      if (existsSync(join(mirror ?? '', m.mirror))) {
        expect(await findData(m.name, { cache: options.cache })).toMatchObject({ from: 'mirror' });
      }
    }
  });
});

describe('pulling', () => {
  const cached = (): Buffer => readFileSync(cachePath(manifest, options));

  it('fetches, verifies, reports progress and leaves nothing else behind', async () => {
    const seen: number[] = [];
    const local = await pullData('noise', { ...options, onProgress: (p) => seen.push(p.received / p.total) });
    expect(local.from).toBe('download');
    expect(cached().equals(content)).toBe(true);
    expect(seen[seen.length - 1]).toBe(1);
    expect([...seen].sort((a, b) => a - b)).toEqual(seen);
    for (const rest of ['.part', '.lock'])
      expect(existsSync(cachePath(manifest, options) + rest)).toBe(false);
  });

  it('continues by itself after a lost connection', async () => {
    answer = (request, response) =>
      ranges.length === 1 ? breakAfter(100000, request, response) : serve(request, response);
    await pullData('noise', options);
    expect(cached().equals(content)).toBe(true);
    expect(ranges).toEqual([undefined, 'bytes=100000-']);
  });

  it('keeps what arrived when the connection stays lost, and the next pull continues', async () => {
    answer = (request, response) => breakAfter(50000, request, response);
    await expect(pullData('noise', options)).rejects.toThrow(
      /noise must arrive whole, got 150000 of 300000 bytes .*run the same command again to continue/,
    );
    answer = serve;
    await pullData('noise', options);
    expect(ranges[3]).toBe('bytes=150000-');
    expect(cached().equals(content)).toBe(true);
  });

  it('starts over when the server knows no ranges or the part file is of another version', async () => {
    put(options.cache, content);
    const path = cachePath(manifest, options);
    writeFileSync(`${path}.part`, 'something else');
    writeFileSync(path, '');
    const { rm } = await import('node:fs/promises');
    await rm(path);
    await pullData('noise', options);
    expect(ranges).toEqual(['bytes=14-', undefined]);
    expect(cached().equals(content)).toBe(true);
    await rm(path);
    writeFileSync(`${path}.part`, content.subarray(0, 1000));
    answer = (_, response) => void response.writeHead(200).end(content);
    await pullData('noise', options);
    expect(cached().equals(content)).toBe(true);
  });

  it('refuses other content, naming both hashes, and keeps nothing of it', async () => {
    const other = Buffer.from(content);
    other[7] ^= 1;
    answer = (request, response) => serve(request, response, other);
    const got = createHash('sha256').update(other).digest('hex');
    await expect(pullData('noise', options)).rejects.toThrow(`must have sha256 ${sha256}, got ${got}`);
    expect(existsSync(cachePath(manifest, options))).toBe(false);
    expect(existsSync(`${cachePath(manifest, options)}.part`)).toBe(false);
    answer = (request, response) => serve(request, response, Buffer.concat([content, content]));
    await expect(pullData('noise', options)).rejects.toThrow(/must have 300000 bytes, got more/);
  });

  it('says what the server answered', async () => {
    answer = (_, response) => void response.writeHead(404).end();
    await expect(pullData('noise', options)).rejects.toThrow(/must serve noise, got status 404/);
    answer = (_, response) => void response.writeHead(503).end();
    await expect(pullData('noise', options)).rejects.toThrow(/the server answered 503/);
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
    await expect(pullData('noise', options)).rejects.toThrow(/got 0 of 300000 bytes .*ECONNREFUSED/);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  });

  it('stops on the signal and continues later', async () => {
    const controller = new AbortController();
    answer = (_, response) => {
      response.writeHead(200, { 'content-length': String(content.length) });
      response.write(content.subarray(0, 70000));
    };
    const onProgress = (): void => controller.abort();
    const attempt = pullData('noise', { ...options, signal: controller.signal, onProgress });
    await expect(attempt).rejects.toThrow(CancelledError);
    answer = serve;
    await pullData('noise', options);
    expect(ranges[1]).toMatch(/^bytes=\d+-$/);
    expect(cached().equals(content)).toBe(true);
  });

  it('says where data without an address can come from', async () => {
    const closed = { ...options, manifests: [{ ...manifest, address: null }] };
    await expect(pullData('noise', closed)).rejects.toThrow(
      /set ASSAY_DATA to a folder that holds deep\/noise\.bin/,
    );
  });
});
