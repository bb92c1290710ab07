import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { projectRoot } from '../../../kernel/cli/root.js';
import { executeNotebook } from '../../../kernel/run/execute.js';
import { JupyterServer, serverAddress } from '../../../kernel/run/jupyter-server.js';
import {
  OWN_KERNEL_TAG,
  readNotebook,
  type Cell,
  type Notebook,
  type NotebookResult,
} from '../../../kernel/run/notebook.js';

const root = projectRoot();
const lab = ['bin/jupyter-lab', 'Scripts/jupyter-lab.exe'].some((file) =>
  existsSync(join(root, '.venv', file)),
);

/** Starts the workbench as `npm start` does and waits for its address. */
function start(): Promise<{ child: ChildProcess; url: URL }> {
  const child = spawn(
    process.execPath,
    [join(root, 'kernel', 'setup.mjs'), 'start', '--no-browser', '--no-system'],
    {
      cwd: root,
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  );
  return new Promise((resolve, reject) => {
    let printed = '';
    const read = (data: Buffer): void => {
      printed += data.toString();
      const address = /http:\/\/127\.0\.0\.1:\d+\/lab\/tree\/my\/start\.ipynb\?token=\w+/.exec(printed);
      if (address) resolve({ child, url: new URL(address[0]) });
    };
    child.stdout.on('data', read);
    child.stderr.on('data', read);
    child.on('exit', (code) =>
      reject(new Error(`npm start ended with ${code} before it printed an address:\n${printed}`)),
    );
  });
}

describe.skipIf(!lab)(
  'JupyterLab as `npm start` opens it (needs .venv: `node kernel/setup.mjs setup`, with Python)',
  () => {
    let child: ChildProcess;
    let url: URL;
    beforeAll(async () => {
      ({ child, url } = await start());
    }, 300_000);
    afterAll(() => void child?.kill('SIGKILL'));

    const run = (notebook: Notebook, timeoutMs = 60_000, kernel = 'tslab'): Promise<NotebookResult> => {
      const server = new JupyterServer(serverAddress(url.href));
      const leaveOut = kernel === 'assay' ? [] : [OWN_KERNEL_TAG];
      return executeNotebook(notebook, () => server.open(kernel, 'my'), { timeoutMs, leaveOut });
    };

    it('refuses a request without the token', async () => {
      const response = await fetch(`${url.origin}/api/contents/my/start.ipynb`);
      expect(response.status).toBe(403);
    });

    it('serves the copy of the start notebook and both kernels, the project’s own first', async () => {
      const ask = async (path: string): Promise<unknown> =>
        (
          await fetch(`${url.origin}${path}`, {
            headers: { authorization: `token ${url.searchParams.get('token')}` },
          })
        ).json();
      expect(await ask('/api/contents/my/start.ipynb?content=0')).toMatchObject({ type: 'notebook' });
      expect(await ask('/api/kernelspecs')).toMatchObject({
        default: 'assay',
        kernelspecs: {
          assay: { spec: { display_name: 'TypeScript (Assay)', metadata: { debugger: true } } },
          tslab: { spec: { display_name: 'TypeScript (tslab)' } },
        },
      });
    });

    it('runs the start notebook to its figure', { timeout: 240_000 }, async () => {
      const result = await run(readNotebook(join(root, 'notebooks', 'start.ipynb')), 120_000);
      expect(result.failure).toBeUndefined();
      const all = result.notebook.cells.flatMap((cell) => cell.outputs ?? []);
      expect(all.some((output) => 'data' in output && 'application/vnd.plotly.v1+json' in output.data)).toBe(
        true,
      );
      expect(all.some((output) => output.output_type === 'stream' && output.name === 'stderr')).toBe(false);
    });

    it('runs the start notebook on the project’s own kernel too', { timeout: 240_000 }, async () => {
      const result = await run(readNotebook(join(root, 'notebooks', 'start.ipynb')), 120_000, 'assay');
      expect(result.failure).toBeUndefined();
    });

    it('interrupts a cell of the project’s own kernel at its timeout', { timeout: 120_000 }, async () => {
      const cells: Cell[] = [{ cell_type: 'code', source: 'for (;;) {}', metadata: {} }];
      const result = await run({ cells, metadata: {}, nbformat: 4, nbformat_minor: 5 }, 5000, 'assay');
      expect(result.failure).toEqual({ cell: 1, reason: 'the cell did not end within 5 s' });
      const [output] = result.notebook.cells[0].outputs ?? [];
      expect(output).toMatchObject({ output_type: 'error', ename: 'CellInterrupted' });
    });

    it('shows a display that is updated as one moving picture', { timeout: 120_000 }, async () => {
      const source =
        'import * as tslab from "tslab"; const d = tslab.newDisplay(); for (let i = 0; i < 5; i++) d.svg(`<svg>${i}</svg>`);';
      const cells: Cell[] = [{ cell_type: 'code', source, metadata: {} }];
      const result = await run({ cells, metadata: {}, nbformat: 4, nbformat_minor: 5 });
      expect(result.notebook.cells[0].outputs).toEqual([
        { output_type: 'display_data', data: { 'image/svg+xml': '<svg>4</svg>' }, metadata: {} },
      ]);
    });

    it('reports a failing cell and does not run the next', { timeout: 120_000 }, async () => {
      const cell = (source: string): Cell => ({ cell_type: 'code', source, metadata: {} });
      const cells = [
        cell('console.log("one");'),
        cell('throw new Error("two");'),
        cell('console.log("three");'),
      ];
      const result = await run({ cells, metadata: {}, nbformat: 4, nbformat_minor: 5 });
      expect(result.failure).toMatchObject({ cell: 2 });
      expect(result.failure?.reason).toMatch(/Error: two/);
      expect(result.notebook.cells[2].outputs).toEqual([]);
    });

    it.skipIf(process.platform === 'win32')('stops cleanly on Ctrl-C', async () => {
      const ended = new Promise((resolve) => child.on('exit', resolve));
      child.kill('SIGINT');
      expect(await ended).toBe(0);
      await expect(fetch(`${url.origin}/api/status`)).rejects.toThrow();
    });
  },
);
