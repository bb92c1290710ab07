/** An exported folder in Chromium: built with Vite from launch.ts and served, and as plain module scripts without a build. */
import { renameSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { extname, join } from 'node:path';
import { chromium } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { build } from 'vite';
import { chromiumPath } from './chromium.js';
import { read } from '../structure/support.js';
import { makeExport, temporaryFolder, writeExport } from '../kernel/wgsl/support.js';

/** SwiftShader stands in where the machine has no GPU. */
const FLAGS = [
  '--no-sandbox',
  '--enable-unsafe-webgpu',
  '--use-webgpu-adapter=swiftshader',
  '--enable-features=Vulkan',
];
const NO_ADAPTER = 'this browser offers no WebGPU adapter';
const LONG = 240_000;
const TYPES: Record<string, string> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript',
  '.mjs': 'text/javascript',
  '.json': 'application/json',
};

interface Row {
  vector: string;
  tensor: string;
  ok: boolean;
  skipped?: string;
}

/** The lines of docs/kernels.md as they stand there, with what a test must see of them. */
const documented = /```ts\n(import { createSelectiveScan }[\s\S]*?)```/.exec(read('docs/kernels.md'))![1];
const LINES = `${documented}\nexport { device, finalState, y };\n`;

/** What the page of a web developer would do: their own device, the typed launch code, the vectors. */
const MAIN = `import { createSelectiveScan, type SelectiveScanLauncher } from './scan/launch';
import { check } from './scan/check.mjs';
import vectors from './scan/vectors.json';

const state = document.getElementById('state')!;
try {
  if (!(await navigator.gpu?.requestAdapter())) throw new Error('${NO_ADAPTER}');
  const { device, finalState, y } = await import('./lines');
  let complaint = '';
  device.addEventListener('uncapturederror', (event) => (complaint = event.error.message));
  await device.queue.onSubmittedWorkDone();
  if (y.size !== 4 * 1024 * 64 || finalState.size !== 4 * 64 * 16) throw new Error('outputs of another size');
  const launcher: SelectiveScanLauncher = createSelectiveScan(device);
  const plan = await launcher.plan({ u: [1, 9, 3], delta: [1, 9, 3], A: [3, 4], B: [3, 4], C: [3, 4] });
  plan.destroy();
  const results = await check(device, createSelectiveScan, vectors);
  if (complaint) throw new Error(complaint);
  Object.assign(globalThis, { results });
  state.textContent = results.every((r: { ok: boolean }) => r.ok) ? 'passed' : 'FAILED';
} catch (error) {
  state.textContent = String(error);
}
`;
const PAGE = `<!doctype html><title>scan</title><p id="state">running</p><script type="module" src="./main.ts"></script>`;

function serve(folder: string): Promise<Server> {
  const server = createServer((request, response) => {
    const path = new URL(request.url ?? '/', 'http://localhost').pathname;
    const file = join(folder, path === '/' ? 'index.html' : path);
    readFile(file).then(
      (content) => {
        response.setHeader('Content-Type', TYPES[extname(file)] ?? 'application/octet-stream');
        response.end(content);
      },
      () => response.writeHead(404).end(),
    );
  });
  return new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(server)));
}

/** Opens a page and waits until it says how the vectors went. */
async function open(
  folder: string,
  page: string,
): Promise<{ state: string; rows: Row[]; requests: string[] }> {
  const server = await serve(folder);
  const browser = await chromium.launch({ executablePath: chromiumPath, args: FLAGS });
  try {
    const tab = await browser.newPage();
    const requests: string[] = [];
    tab.on('request', (r) => void requests.push(r.url()));
    await tab.goto(`http://127.0.0.1:${(server.address() as AddressInfo).port}/${page}`);
    await tab.waitForFunction(`document.getElementById('state').textContent !== 'running'`, undefined, {
      timeout: LONG,
    });
    const state = await tab.evaluate<string>(`document.getElementById('state').textContent`);
    const rows = await tab.evaluate<Row[]>('globalThis.results ?? []');
    return { state, rows, requests };
  } finally {
    await browser.close();
    server.close();
  }
}

describe.runIf(chromiumPath)('an exported selective-scan, form chunk, in Chromium', { timeout: LONG }, () => {
  const { folder, remove } = temporaryFolder();
  let own = '';
  beforeAll(async () => {
    own = join(folder, 'scan');
    renameSync(writeExport(folder, await makeExport('selective-scan', 'chunk')), own);
  }, LONG);
  afterAll(remove);

  it('runs its vectors as plain module scripts', async (context) => {
    const { state, rows, requests } = await open(own, 'check.html');
    if (state.includes(NO_ADAPTER)) return context.skip(NO_ADAPTER);
    expect(rows.filter((r) => !r.ok)).toEqual([]);
    expect(state).toBe('passed');
    expect(rows.filter((r) => !r.skipped).length).toBeGreaterThan(20);
    expect(requests.filter((url) => url.endsWith('.wgsl')).length).toBeGreaterThan(5);
  });

  it('builds with Vite from launch.ts, runs them and the lines of the page', async (context) => {
    writeFileSync(join(folder, 'index.html'), PAGE);
    writeFileSync(join(folder, 'main.ts'), MAIN);
    writeFileSync(join(folder, 'lines.ts'), LINES);
    await build({
      root: folder,
      base: './',
      configFile: false,
      logLevel: 'error',
      build: { outDir: 'built', target: 'esnext' },
    });
    const { state, rows, requests } = await open(join(folder, 'built'), '');
    if (state.includes(NO_ADAPTER)) return context.skip(NO_ADAPTER);
    expect(rows.filter((r) => !r.ok)).toEqual([]);
    expect(state).toBe('passed');
    expect(rows.filter((r) => !r.skipped).length).toBeGreaterThan(20);
    expect(requests.filter((url) => /launch\.mjs|\.ts$/.test(url))).toEqual([]);
  });
});
