/** The project's own kernel in a process of its own, spoken to over ZeroMQ: no Jupyter, no Python. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { KernelClient } from './kernel-client.js';
import { kernelEnvironment } from './kernel-environment.js';
import type { KernelOutput } from './notebook.js';
import { endOf, outputOf, type CellEnd, type NotebookKernel } from './notebook-kernel.js';

export interface AssayKernelOptions {
  /** Folder of the project. */
  readonly root: string;
  /** Folder the cells run in. */
  readonly folder: string;
  /** The compiled kernel; by default the one compiled with this file, else the one in dist. */
  readonly entry?: string;
}

const CLOSE_MS = 3000;

/** Starts a kernel; rejects when it does not answer. */
export async function openAssay({ root, folder, entry }: AssayKernelOptions): Promise<NotebookKernel> {
  const client = await KernelClient.launch({
    entry: entry ?? kernelEntry(root),
    cwd: folder,
    env: { ...(await kernelEnvironment(root)), ...headlessEnvironment(process.env) },
  });
  return new AssayKernel(client);
}

/** No front end renders, nobody types, and saved text is searched and compared. */
function headlessEnvironment({
  FORCE_COLOR,
  NO_COLOR,
}: NodeJS.ProcessEnv): Record<string, string | undefined> {
  const colour = FORCE_COLOR === undefined ? { NO_COLOR: NO_COLOR ?? '1' } : {};
  return { ASSAY_HEADLESS: '1', ASSAY_HISTORY: 'off', ...colour };
}

function kernelEntry(root: string): string {
  const beside = fileURLToPath(new URL('../user/main.js', import.meta.url));
  const file = existsSync(beside) ? beside : join(root, 'dist', 'kernel', 'user', 'main.js');
  if (!existsSync(file)) throw new Error('the kernel is not built yet: run `node kernel/build.mjs` once');
  return file;
}

class AssayKernel implements NotebookKernel {
  readonly gone: Promise<string>;
  private readonly shows = new Map<string, (output: KernelOutput) => void>();
  private closing = false;

  constructor(private readonly client: KernelClient) {
    client.onIopub = ({ parent, type, content }) => {
      const show = this.shows.get(String(parent['msg_id']));
      const output = show && outputOf(type, content);
      if (output) show(output);
    };
    this.gone = new Promise((resolve) => {
      void client.kernel.exited.then(() => {
        if (!this.closing) resolve(this.ending());
      });
    });
  }

  async execute(code: string, show: (output: KernelOutput) => void): Promise<CellEnd> {
    try {
      const exchange = await this.client.execute(code, {
        timeoutMs: 0,
        // The first message of an execution is its status: its outputs come when their id is known.
        onMessage: ({ parent }) => void this.shows.set(String(parent['msg_id']), show),
      });
      return endOf(exchange.reply?.content ?? {});
    } catch {
      return { ok: false, reason: await this.gone };
    }
  }

  async interrupt(): Promise<boolean> {
    void this.client.interrupt('message').catch(() => undefined);
    return true;
  }

  async close(): Promise<void> {
    this.closing = true;
    await this.client.shutdown({ timeoutMs: CLOSE_MS });
  }

  /** How the process ended, with the last line it printed: a crash of a native library says why there. */
  private ending(): string {
    const { exitCode, signalCode } = this.client.process;
    const said = this.client.kernel.output.trim().split('\n').at(-1);
    return `the kernel process ended (${signalCode ?? `exit code ${exitCode}`})${said ? `: ${said}` : ''}`;
  }
}
