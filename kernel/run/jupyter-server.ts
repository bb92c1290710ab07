/** Kernels of a Jupyter server, or of a gateway, which has kernels only: one connection each, losses told apart. */
import { randomUUID } from 'node:crypto';
import { userInfo } from 'node:os';
import { posix } from 'node:path';
import { KernelAPI, KernelConnection, ServerConnection, SessionAPI, type Kernel } from '@jupyterlab/services';
import type { KernelOutput } from './notebook.js';
import { LostServer, endOf, outputOf, type CellEnd, type NotebookKernel } from './notebook-kernel.js';

export interface ServerAddress {
  /** Address of the server, such as http://127.0.0.1:8888/ */
  readonly baseUrl: string;
  readonly token: string;
}

/** Milliseconds a kernel has to answer its first question. */
const START_MS = 120_000;
/** Milliseconds between questions whether the kernel is still there, and how many may fail in a row. */
const BEAT_MS = 5000;
const BEATS = 3;
/** HTTP answers of a server (or of what stands before it) that is not there now but may come back. */
const ABSENT = [429, 502, 503, 504];

/**
 * The library tells the life of its connections on the console. Standard output is for results, so here it comes
 * as progress, without what only its developers read.
 */
export function consoleAsProgress(progress: (text: string) => void): void {
  const say = (...parts: unknown[]): void => progress(parts.map(String).join(' '));
  Object.assign(globalThis.console, { debug: () => undefined, log: say, info: say, warn: say, error: say });
}

/** Reads an address as people paste it: with the page and the token that the server printed. */
export function serverAddress(text: string, token?: string): ServerAddress {
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    throw new Error(`--server must be an address such as http://127.0.0.1:8888/, got "${text}"`);
  }
  if (url.protocol !== 'http:' && url.protocol !== 'https:')
    throw new Error(`--server must begin with http:// or https://, got "${text}"`);
  const path = url.pathname.replace(/\/(lab|tree|notebooks|doc|api)(\/.*)?$/, '/').replace(/\/?$/, '/');
  return { baseUrl: url.origin + path, token: token ?? url.searchParams.get('token') ?? '' };
}

/** A server that starts kernels. */
export class JupyterServer {
  private readonly settings: ServerConnection.ISettings;
  private sessions: Promise<boolean> | undefined;

  constructor(readonly address: ServerAddress) {
    const { baseUrl, token } = address;
    this.settings = ServerConnection.makeSettings({
      baseUrl,
      wsUrl: baseUrl.replace(/^http/, 'ws'),
      token,
    });
  }

  /**
   * Starts a kernel. `folder` is where it works: a path from the server's root folder, on a gateway a path of the
   * machine that runs the kernel. Where it is undefined a server takes `usual`, a gateway its own.
   *
   * @throws LostServer when the server does not answer
   */
  async open(name: string, folder?: string, usual = ''): Promise<NotebookKernel> {
    this.sessions ??= this.hasSessions();
    this.sessions.catch(() => (this.sessions = undefined));
    const started = (await this.sessions)
      ? await this.startSession(name, folder ?? usual)
      : await this.startKernel(name, folder);
    const kernel = new RemoteKernel(started, this.settings);
    try {
      await kernel.ready();
    } catch (error) {
      await kernel.close();
      throw error;
    }
    return kernel;
  }

  /** Whether anything answers at the address. */
  async answers(): Promise<boolean> {
    try {
      const { status } = await this.get('api');
      return !ABSENT.includes(status);
    } catch {
      return false;
    }
  }

  /** A server of notebooks has contents and sessions; a gateway has kernels only. */
  private async hasSessions(): Promise<boolean> {
    const { status } = await asked(this.get('api/contents?content=0'), this.address);
    if (status === 401 || status === 403)
      throw new Error(
        `${this.address.baseUrl} refuses the token (${status}): give the right one with --token`,
      );
    return status === 200;
  }

  private get(path: string): Promise<Response> {
    return ServerConnection.makeRequest(this.address.baseUrl + path, {}, this.settings);
  }

  /** Every kernel gets a session of its own: a server gives the same kernel to sessions of the same path. */
  private async startSession(name: string, folder: string): Promise<Started> {
    const path = posix.join(folder, `assay-run-${randomUUID()}.ipynb`);
    const options = { name: posix.basename(path), path, type: 'notebook', kernel: { name } };
    const session = await asked(SessionAPI.startSession(options, this.settings), this.address, name);
    if (!session.kernel) throw new Error(`${this.address.baseUrl} gave a session without a kernel "${name}"`);
    return { model: session.kernel, end: () => SessionAPI.shutdownSession(session.id, this.settings) };
  }

  private async startKernel(name: string, folder: string | undefined): Promise<Started> {
    // What Jupyter's own client of gateways hands on: the settings of whoever asks, by their prefix.
    const own = Object.entries(process.env).filter(([key]) => key.startsWith('KERNEL_'));
    const env = {
      KERNEL_USERNAME: userName(),
      ...(folder !== undefined && { KERNEL_WORKING_DIR: folder }),
      ...Object.fromEntries(own),
    };
    const options = { name, env } as Parameters<typeof KernelAPI.startNew>[0];
    const model = await asked(KernelAPI.startNew(options, this.settings), this.address, name);
    return { model, end: () => KernelAPI.shutdownKernel(model.id, this.settings) };
  }
}

function userName(): string {
  try {
    return userInfo().username;
  } catch {
    // A container may run under a number that no name belongs to.
    return process.env['USER'] ?? 'assay';
  }
}

interface Started {
  readonly model: Kernel.IModel;
  end(): Promise<void>;
}

/** Failures of the network, and answers of a server that is away, as LostServer. */
async function asked<T>(request: Promise<T>, { baseUrl }: ServerAddress, kernel?: string): Promise<T> {
  try {
    return await request;
  } catch (error) {
    const { message } = error as Error;
    if (!(error instanceof ServerConnection.ResponseError))
      throw new LostServer(`${baseUrl} does not answer (${message})`);
    const { status, statusText } = error.response;
    const words = message || statusText;
    if (ABSENT.includes(status)) throw new LostServer(`${baseUrl} answers ${status} (${words})`);
    const what = kernel === undefined ? '' : ` when asked for the kernel "${kernel}"`;
    throw new Error(`${baseUrl} answers ${status}${what}: ${words}`);
  }
}

class RemoteKernel implements NotebookKernel {
  readonly gone: Promise<string>;
  private readonly connection: KernelConnection;
  private readonly shows = new Map<string, (output: KernelOutput) => void>();
  private readonly lost: Promise<never>;
  private lose: (reason: string) => void = () => undefined;
  private readonly beat: NodeJS.Timeout;
  private missed = 0;
  private closing = false;

  constructor(
    private readonly started: Started,
    private readonly settings: ServerConnection.ISettings,
  ) {
    const { model } = started;
    this.connection = new KernelConnection({ model, serverSettings: settings, handleComms: false });
    // A kernel that restarted has lost the notebook's variables: nobody wants to be connected to it again. (The
    // connection would, and reject a promise nobody holds when it is disposed of in the meantime.)
    this.connection.reconnect = () => Promise.resolve();
    this.lost = new Promise((_, reject) => {
      this.lose = (reason) => reject(new LostServer(`${settings.baseUrl} was lost: ${reason}`));
    });
    this.lost.catch(() => undefined);
    this.gone = new Promise((resolve) => {
      this.connection.statusChanged.connect((_, status) => {
        if (!this.closing && ['dead', 'autorestarting', 'restarting'].includes(status))
          resolve('the kernel process ended');
      });
    });
    this.connection.connectionStatusChanged.connect((_, status) => {
      if (status === 'disconnected' && !this.closing) this.lose('the connection to the kernel closed');
    });
    this.connection.iopubMessage.connect((_, { parent_header, header, content }) => {
      const id = (parent_header as { msg_id?: string }).msg_id;
      const output = outputOf(header.msg_type, content as Record<string, unknown>);
      if (id !== undefined && output) this.shows.get(id)?.(output);
    });
    this.beat = setInterval(() => void this.ask(), BEAT_MS);
  }

  async ready(): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<string>((resolve) => {
      timer = setTimeout(() => resolve(`it did not answer within ${START_MS / 1000} s`), START_MS);
    });
    const problem = await Promise.race([
      this.connection.info.then(() => undefined),
      this.lost,
      this.gone,
      late,
    ]).finally(() => clearTimeout(timer));
    if (problem !== undefined)
      throw new Error(`the kernel "${this.connection.name}" did not start: ${problem}`);
  }

  async execute(code: string, show: (output: KernelOutput) => void): Promise<CellEnd> {
    const future = this.connection.requestExecute({ code, stop_on_error: true, allow_stdin: false });
    this.shows.set(future.msg.header.msg_id, show);
    // A connection that is disposed of cancels what waits; then the loss is the reason.
    const done = future.done.catch((error: Error) => {
      this.lose(error.message);
      return this.lost;
    });
    const reply = await Promise.race([done, this.lost]);
    return endOf(reply.content as unknown as Record<string, unknown>);
  }

  async interrupt(): Promise<boolean> {
    try {
      await KernelAPI.interruptKernel(this.connection.id, this.settings);
      return true;
    } catch {
      return false;
    }
  }

  async close(): Promise<void> {
    this.closing = true;
    clearInterval(this.beat);
    this.connection.dispose();
    await this.started.end().catch(() => undefined);
  }

  /** Asks whether the kernel is still there: a connection that hangs does not say so by itself. */
  private async ask(): Promise<void> {
    try {
      await KernelAPI.getKernelModel(this.connection.id, this.settings).then((model) => {
        if (!model) throw new Error('it does not know the kernel any more');
      });
      this.missed = 0;
    } catch (error) {
      if (++this.missed >= BEATS && !this.closing) this.lose((error as Error).message);
    }
  }
}

/** Waiting after a loss: longer each time; when nothing answers after the last attempt nobody tries any more. */
export class Patience {
  private down = false;

  constructor(
    private readonly server: Pick<JupyterServer, 'answers'>,
    private readonly attempts: number,
    private readonly signal: AbortSignal,
    private readonly unitMs = 1000,
  ) {}

  /** Throws at once where the server was given up. */
  check(): void {
    if (this.down) throw new LostServer('the server was given up after several attempts');
  }

  /** Waits before attempt `attempt + 1`; false when there shall be none. */
  async retry(attempt: number): Promise<boolean> {
    if (this.down) return false;
    if (attempt > this.attempts) {
      this.down = !(await this.server.answers());
      return false;
    }
    const ms = Math.min(2 ** (attempt - 1), 30) * this.unitMs;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.signal.addEventListener('abort', () => (clearTimeout(timer), resolve()), { once: true });
    });
    return !this.signal.aborted;
  }
}
