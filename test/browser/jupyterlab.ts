/** JupyterLab of the project's .venv on a port of its own, and a page of Chromium that works in it as a reader does. */
import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { chromium, type Browser, type Locator, type Page } from 'playwright-core';
import { assayKernelspec, jupyterEnvironment, venvPaths } from '../../kernel/setup/decide.mjs';
import { kernelDist } from '../support/kernel-dist.js';
import { root } from '../structure/support.js';
import { chromiumPath } from './chromium.js';

const { python, bin } = venvPaths(process.platform, join(root, '.venv'), join);
const TOKEN = 'jupyterlab-test';

/** Why JupyterLab cannot be tried here, or undefined. */
export const labMissing = !existsSync(
  join(bin, process.platform === 'win32' ? 'jupyter-lab.exe' : 'jupyter-lab'),
)
  ? 'needs .venv: `node kernel/setup.mjs setup`, with Python'
  : chromiumPath === undefined
    ? 'needs Chromium: apt-get install chromium, or ASSAY_CHROMIUM'
    : undefined;

export interface Lab {
  readonly url: string;
  readonly folder: string;
  stop(): Promise<void>;
}

/** Starts JupyterLab over `folder`; everything it writes stays there, and its only kernel is the built one. */
export async function startLab(folder: string): Promise<Lab> {
  const kernels = join(folder, '.share', 'kernels', 'assay');
  const spec = assayKernelspec(process.execPath, root, join);
  const argv = [process.execPath, join(kernelDist(), 'kernel', 'user', 'main.js'), '{connection_file}'];
  writeJson(kernels, 'kernel.json', { ...spec, argv });
  const own = join(folder, '.own');
  const environment = jupyterEnvironment(own, join);
  const settings = join(environment['JUPYTERLAB_SETTINGS_DIR'], '@jupyterlab', 'apputils-extension');
  writeJson(settings, 'notification.jupyterlab-settings', { fetchNews: 'false', checkForUpdates: false });
  const port = await freePort();
  const options = [
    `ip=127.0.0.1`,
    `port=${port}`,
    `port_retries=0`,
    `root_dir=${folder}`,
    'open_browser=False',
  ];
  const child = spawn(
    python,
    ['-m', 'jupyterlab', '--allow-root', ...options.map((option) => `--ServerApp.${option}`)],
    {
      cwd: folder,
      stdio: ['ignore', 'ignore', 'pipe'],
      env: {
        ...process.env,
        ...environment,
        JUPYTER_PATH: join(folder, '.share'),
        JUPYTER_TOKEN: TOKEN,
        ASSAY_HISTORY: 'off',
      },
    },
  );
  const url = `http://127.0.0.1:${port}`;
  await answering(child, url);
  return { url, folder, stop: () => stop(child, url) };
}

function writeJson(folder: string, name: string, value: unknown): void {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, name), JSON.stringify(value));
}

function freePort(): Promise<number> {
  const server = createServer();
  return new Promise((resolve) =>
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => resolve(port));
    }),
  );
}

async function answering(child: ChildProcess, url: string): Promise<void> {
  let said = '';
  child.stderr?.on('data', (data: Buffer) => (said = (said + data.toString()).slice(-4000)));
  for (;;) {
    if (child.exitCode !== null) throw new Error(`JupyterLab ended before it answered:\n${said}`);
    const response = await fetch(`${url}/api/status?token=${TOKEN}`).catch(() => undefined);
    if (response?.ok) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

/** Asked over its own address it ends its kernels too, on every platform. */
async function stop(child: ChildProcess, url: string): Promise<void> {
  const ended = new Promise((resolve) => child.on('exit', resolve));
  if (child.exitCode !== null) return;
  await fetch(`${url}/api/shutdown?token=${TOKEN}`, { method: 'POST' }).catch(() => child.kill());
  await ended;
}

/** One browser for all notebooks of a test. */
export function openBrowser(): Promise<Browser> {
  return chromium.launch({ executablePath: chromiumPath, args: ['--no-sandbox'] });
}

/** A notebook on the page; cells are counted from 0, markdown included. */
export class NotebookPage {
  private constructor(
    private readonly lab: Lab,
    readonly page: Page,
  ) {}

  static async open(lab: Lab, browser: Browser, file: string): Promise<NotebookPage> {
    const page = await browser.newPage({ viewport: { width: 1280, height: 1000 } });
    const opened = new NotebookPage(lab, page);
    await opened.goto(file);
    return opened;
  }

  /** Opens a notebook in a fresh workspace and waits until its kernel is idle. */
  async goto(file: string): Promise<void> {
    await this.page.goto(`${this.lab.url}/lab/tree/${file}?token=${TOKEN}&reset`);
    await this.page.locator('.jp-Notebook .jp-Cell').first().waitFor({ timeout: 60_000 });
    await this.idle();
  }

  cell(index: number): Locator {
    return this.page.locator('.jp-Notebook:visible .jp-Cell').nth(index);
  }

  output(index: number): Locator {
    return this.cell(index).locator('.jp-Cell-outputArea');
  }

  /** Waits until the page says that the kernel has nothing to do; before it is connected it says something else. */
  async idle(): Promise<void> {
    await this.page.locator('#jp-main-statusbar', { hasText: '| Idle' }).waitFor({ timeout: 60_000 });
  }

  /** Starts a cell without waiting for it. */
  async start(index: number): Promise<void> {
    const input = this.cell(index).locator('.jp-InputArea-editor');
    await input.scrollIntoViewIfNeeded();
    await input.click();
    await this.page.keyboard.press('Control+Enter');
  }

  /** Puts the cursor at the end of a cell. */
  async edit(index: number): Promise<void> {
    const input = this.cell(index).locator('.cm-content');
    await input.scrollIntoViewIfNeeded();
    await input.click();
    await this.page.keyboard.press('Control+End');
  }

  /** Runs a cell to its end. */
  async run(index: number): Promise<void> {
    await this.start(index);
    await this.done(index);
  }

  /** Waits until the cell has a number before it. */
  async done(index: number, timeout = 30_000): Promise<void> {
    await this.cell(index)
      .locator('.jp-InputPrompt', { hasText: /\[\d+\]/ })
      .waitFor({ timeout });
  }

  async menu(name: string, entry: string): Promise<void> {
    await this.page.click(`.lm-MenuBar-itemLabel:text-is("${name}")`);
    await this.page.click(`.lm-Menu-itemLabel:text-is("${entry}")`);
  }

  /** Drags a slider's handle to the right in many small steps, as a hand does. */
  async drag(handle: Locator, pixels: number, steps: number): Promise<void> {
    await handle.scrollIntoViewIfNeeded();
    const box = await handle.boundingBox();
    if (!box) throw new Error('drag: the slider must be on the page');
    const [x, y] = [box.x + box.width / 2, box.y + box.height / 2];
    await this.page.mouse.move(x, y);
    await this.page.mouse.down();
    for (let i = 1; i <= steps; i++) {
      await this.page.mouse.move(x + (pixels * i) / steps, y);
      await this.page.waitForTimeout(25);
    }
    await this.page.mouse.up();
  }

  /** Keeps a picture of the page where ASSAY_SCREENSHOTS names a folder. */
  async picture(name: string, at?: Locator): Promise<void> {
    const folder = process.env['ASSAY_SCREENSHOTS'];
    if (folder === undefined) return;
    await at?.scrollIntoViewIfNeeded();
    await this.page.screenshot({ path: join(folder, `${name}.png`) });
  }
}
