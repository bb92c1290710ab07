import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { executeNotebook } from '../../../kernel/run/execute.js';
import {
  JupyterServer,
  Patience,
  consoleAsProgress,
  serverAddress,
} from '../../../kernel/run/jupyter-server.js';
import type { NotebookResult } from '../../../kernel/run/notebook.js';
import { planRuns } from '../../../kernel/run/plan.js';
import { runAll, type RunAllOptions } from '../../../kernel/run/run-all.js';
import { root } from '../../structure/support.js';
import {
  ServerProcess,
  builtKernel,
  codeCell,
  freePort,
  kernelspecFolder,
  notebookOf,
  outputsOf,
  pythonOf,
  textOf,
} from './support.js';

const entry = builtKernel();
const venv = pythonOf(join(root, '.venv'));
/** A virtual environment with jupyter_enterprise_gateway; the soak run names one. */
const gateway = process.env['ASSAY_GATEWAY'] ? pythonOf(process.env['ASSAY_GATEWAY']) : undefined;
const TOKEN = 'a-token-of-this-test';

let folder: string;
beforeAll(() => {
  consoleAsProgress(() => undefined);
  folder = realpathSync(mkdtempSync(join(tmpdir(), 'assay server ')));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Jupyter's own server, its folders in the test's. */
async function notebookServer(): Promise<ServerProcess> {
  const port = await freePort();
  mkdirSync(join(folder, 'root', 'deep'), { recursive: true });
  const args = [
    '-m',
    'jupyter_server',
    '--allow-root',
    '--no-browser',
    '--ServerApp.ip=127.0.0.1',
    `--ServerApp.port=${port}`,
    '--ServerApp.port_retries=0',
    `--ServerApp.root_dir=${join(folder, 'root')}`,
  ];
  return new ServerProcess(venv ?? '', args, environment(), `http://127.0.0.1:${port}/`);
}

async function gatewayServer(): Promise<ServerProcess> {
  const port = await freePort();
  const args = [
    '-m',
    'enterprise_gateway',
    '--EnterpriseGatewayApp.ip=127.0.0.1',
    `--EnterpriseGatewayApp.port=${port}`,
    `--EnterpriseGatewayApp.auth_token=${TOKEN}`,
  ];
  // A gateway starts kernels for named users only, never for root.
  process.env['KERNEL_USERNAME'] ??= 'ada';
  return new ServerProcess(gateway ?? '', args, environment(), `http://127.0.0.1:${port}/`);
}

function environment(): Record<string, string> {
  const own = (name: string): string => join(folder, 'own', name);
  return {
    JUPYTER_PATH: kernelspecFolder(folder, entry ?? ''),
    JUPYTER_TOKEN: TOKEN,
    JUPYTER_CONFIG_DIR: own('config'),
    JUPYTER_DATA_DIR: own('data'),
    JUPYTER_RUNTIME_DIR: own('runtime'),
    PYTHONUTF8: '1',
  };
}

const SWEEP = [
  codeCell('const steps: number = 1;', 'parameters'),
  codeCell(`import { display } from 'tslab';
await new Promise((resolve) => setTimeout(resolve, 1000));
display.raw('application/x-assay.result+json', { half: steps / 2, pid: process.pid } as any);`),
];

describe.each([
  ['Jupyter’s own server (needs .venv)', venv, notebookServer],
  ['an Enterprise Gateway (needs ASSAY_GATEWAY, a virtual environment with it)', gateway, gatewayServer],
])('notebooks through %s', (_name, python, make) => {
  describe.skipIf(!python || !entry)(
    'and the project’s kernel (needs its build)',
    { timeout: 240_000 },
    () => {
      let child: ServerProcess;
      let server: JupyterServer;
      const said: string[] = [];
      beforeAll(async () => {
        child = await make();
        await child.start();
        server = new JupyterServer(serverAddress(child.url, TOKEN));
      }, 120_000);
      afterAll(() => child?.kill());

      const run = (book: ReturnType<typeof notebookOf>, timeoutMs = 60_000): Promise<NotebookResult> =>
        executeNotebook(book, () => server.open('assay', undefined), { timeoutMs });

      function sweep(steps: number[], patience: Patience, jobs = 2): ReturnType<typeof runAll> {
        const file = join(folder, 'sweep.ipynb');
        writeFileSync(file, JSON.stringify(notebookOf(...SWEEP)));
        const sets = steps.map((value) => ({ steps: { value } }));
        const options: RunAllOptions = {
          root: folder,
          kernel: 'assay on a server',
          open: async () => (patience.check(), server.open('assay')),
          retry: (attempt) => patience.retry(attempt),
          jobs,
          force: true,
          limits: { timeoutMs: 120_000 },
          signal: new AbortController().signal,
          progress: (text) => void said.push(text),
        };
        return runAll(planRuns([file], sets, join(folder, 'out')), options);
      }
      const forever = new AbortController().signal;

      it('show results, streams and errors as here', async () => {
        const result = await run(
          notebookOf('console.log("one");', '40 + 2', 'throw new Error("three");', '4'),
        );
        expect(result.failure).toEqual({ cell: 3, reason: 'Error: three' });
        expect(textOf(result, 0)).toBe('one\n');
        expect(outputsOf(result, 1)).toMatchObject([{ data: { 'text/plain': '42' } }]);
        expect(outputsOf(result, 3)).toEqual([]);
      });

      it('are interrupted at their timeout', async () => {
        const result = await run(notebookOf('console.log("first"); for (;;) {}'), 8000);
        expect(result.failure).toEqual({ cell: 1, reason: 'the cell did not end within 8 s' });
        expect(outputsOf(result, 0).at(-1)).toMatchObject({ ename: 'CellInterrupted' });
      });

      it('say that their kernel died', async () => {
        const result = await run(
          notebookOf('process.kill(process.pid, "SIGKILL"); await new Promise(() => {});'),
        );
        expect(result.failure).toEqual({ cell: 1, reason: 'the kernel process ended' });
      });

      it('run side by side, each on a kernel of its own', async () => {
        const rows = await sweep([1, 2, 3], new Patience(server, 2, forever));
        expect(rows.map(({ status, values }) => [status, values['half']])).toEqual([
          ['ok', 0.5],
          ['ok', 1],
          ['ok', 1.5],
        ]);
        expect(new Set(rows.map(({ values }) => values['pid'])).size).toBe(3);
      });

      it('survive the loss of the server when it comes back', async () => {
        const running = sweep([1, 2], new Patience(server, 8, forever), 1);
        while (!said.some((text) => text.endsWith('sweep-steps=1.ipynb: cell 2 of 3')))
          await new Promise((resolve) => setTimeout(resolve, 50));
        await child.kill();
        await child.start();
        expect((await running).map(({ status }) => status)).toEqual(['ok', 'ok']);
        expect(said.some((text) => /was lost|does not answer/.test(text))).toBe(true);
      });

      it('are reported as lost when it does not come back', async () => {
        await child.kill();
        const rows = await sweep([1, 2, 3], new Patience(server, 1, forever, 10), 1);
        expect(rows.map(({ status }) => status)).toEqual(['lost', 'lost', 'lost']);
        expect(rows[0].failure?.reason).toMatch(/does not answer/);
      });
    },
  );
});
