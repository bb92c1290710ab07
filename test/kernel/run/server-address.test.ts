import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { JupyterServer, Patience, serverAddress } from '../../../kernel/run/jupyter-server.js';
import { LostServer } from '../../../kernel/run/notebook-kernel.js';

describe('the address of a server', () => {
  it.each([
    ['http://127.0.0.1:8888', undefined, 'http://127.0.0.1:8888/', ''],
    ['http://127.0.0.1:8888/lab/tree/my/start.ipynb?token=abc', undefined, 'http://127.0.0.1:8888/', 'abc'],
    ['https://hub.example/user/ada/lab?token=abc', 'mine', 'https://hub.example/user/ada/', 'mine'],
    ['https://hub.example/user/ada', 'mine', 'https://hub.example/user/ada/', 'mine'],
  ])('%s is read as people paste it', (text, token, baseUrl, expected) => {
    expect(serverAddress(text, token)).toEqual({ baseUrl, token: expected });
  });

  it.each(['localhost', '127.0.0.1:8888', 'ws://127.0.0.1/'])('%s is refused', (text) => {
    expect(() => serverAddress(text)).toThrow(/--server must/);
  });
});

describe('a server that', () => {
  let server: Server | undefined;
  afterEach(() => void server?.close());

  /** Answers each path's beginning with a status. */
  async function start(statuses: Record<string, number>): Promise<JupyterServer> {
    server = createServer((request, response) => {
      const path = Object.keys(statuses).find((one) => request.url?.startsWith(one));
      response.writeHead(path === undefined ? 404 : statuses[path], { 'content-type': 'application/json' });
      response.end('{"message": "so it is"}');
    });
    await new Promise<void>((resolve) => server?.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    return new JupyterServer(serverAddress(`http://127.0.0.1:${port}/`, 'token'));
  }

  it('refuses the token is an error that says so', async () => {
    const address = await start({ '/api/contents': 403 });
    await expect(address.open('assay')).rejects.toThrow(/refuses the token \(403\)/);
  });

  it('does not know the kernel is an error with the server’s words', async () => {
    const address = await start({ '/api/contents': 200, '/api/sessions': 404 });
    await expect(address.open('nope')).rejects.toThrow(/answers 404 when asked for the kernel "nope"/);
  });

  it('is away, or whose proxy says so, is lost', async () => {
    const away = await start({ '/api/contents': 200, '/api/sessions': 502 });
    await expect(away.open('assay')).rejects.toThrow(LostServer);
    expect(await away.answers()).toBe(true);
    await new Promise((resolve) => server?.close(resolve));
    await expect(away.open('assay')).rejects.toThrow(LostServer);
    expect(await away.answers()).toBe(false);
  });
});

describe('patience with a server', () => {
  const signal = new AbortController().signal;

  it('ends after the attempts, and then for everybody when nothing answers', async () => {
    const patience = new Patience({ answers: async () => false }, 2, signal, 1);
    expect([await patience.retry(1), await patience.retry(2)]).toEqual([true, true]);
    patience.check();
    expect(await patience.retry(3)).toBe(false);
    expect(() => patience.check()).toThrow(LostServer);
    expect(await patience.retry(1)).toBe(false);
  });

  it('goes on for others while the server answers', async () => {
    const patience = new Patience({ answers: async () => true }, 1, signal, 1);
    expect(await patience.retry(2)).toBe(false);
    patience.check();
    expect(await patience.retry(1)).toBe(true);
  });

  it('does not keep an interrupt waiting', async () => {
    const controller = new AbortController();
    const patience = new Patience({ answers: async () => true }, 9, controller.signal);
    setTimeout(() => controller.abort(), 5);
    expect(await patience.retry(9)).toBe(false);
  });
});
