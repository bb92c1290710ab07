/**
 * A client of any Jupyter kernel: launches the kernel with a connection file and speaks the protocol to it
 * over ZeroMQ. Tests, the headless runner and the soak run use it.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createConnectionFile, readConnectionFile, type Connection } from '../server/connection.js';
import type { JsonObject, JupyterMessage } from '../server/wire.js';
import { ClientSockets, type RequestChannel } from './client-sockets.js';
import { KernelProcess, RunningKernel, type KernelHandle, type ProcessOptions } from './kernel-process.js';

export type { RequestChannel } from './client-sockets.js';

/** A message as callers see it: channel, type, content and the rest. */
export interface ClientMessage {
  readonly channel: 'iopub' | RequestChannel;
  readonly type: string;
  readonly content: JsonObject;
  readonly metadata: JsonObject;
  readonly header: JsonObject;
  readonly parent: JsonObject;
  readonly buffers: Buffer[];
}

/** What came of one request. `messages` are those of iopub that name it as their parent, in order. */
export interface Exchange {
  readonly id: string;
  readonly reply: ClientMessage | undefined;
  readonly messages: ClientMessage[];
  /** The status `idle` of this request arrived. */
  readonly idle: boolean;
}

export interface RequestOptions {
  /** Without an answer until then the promise rejects with KernelTimeout. Default 60 s; 0 waits for ever. */
  readonly timeoutMs?: number;
  readonly metadata?: JsonObject;
  readonly buffers?: readonly Uint8Array[];
  readonly subshell?: string;
  /** Sees every message of the request as it arrives. */
  readonly onMessage?: (message: ClientMessage) => void;
  /** False resolves with the reply and does not wait for idle. */
  readonly waitIdle?: boolean;
  /** False resolves with idle: messages such as comm_msg have no reply. */
  readonly waitReply?: boolean;
}

export interface ExecuteOptions extends RequestOptions {
  readonly silent?: boolean;
  readonly storeHistory?: boolean;
  readonly stopOnError?: boolean;
  readonly userExpressions?: Record<string, string>;
  /** Answers input requests of the cell; without it the cell may not ask. */
  readonly onInput?: (prompt: string, password: boolean) => string | Promise<string>;
}

export interface LaunchOptions extends ProcessOptions {
  readonly transport?: 'tcp' | 'ipc';
  /** How long the kernel may take until it answers. Default 60 s. */
  readonly startTimeoutMs?: number;
}

/** A request had no answer in time. What had arrived is in `exchange`. */
export class KernelTimeout extends Error {
  override readonly name = 'KernelTimeout';
  constructor(
    message: string,
    readonly exchange: Exchange,
  ) {
    super(message);
  }
}

/** The kernel's process ended with a request open. */
export class KernelDied extends Error {
  override readonly name = 'KernelDied';
}

interface Pending {
  readonly exchange: {
    id: string;
    reply: ClientMessage | undefined;
    messages: ClientMessage[];
    idle: boolean;
  };
  readonly options: RequestOptions & Pick<ExecuteOptions, 'onInput'>;
  readonly check: () => void;
  readonly reject: (error: Error) => void;
}

/** Folders of connection files; the keys in them are gone when this process is. */
const folders = new Set<string>();
process.once('exit', () => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

const DEFAULT_TIMEOUT_MS = 60_000;
/** A kernel that is still starting loses what is sent to it, so it is asked again. */
const NUDGE_MS = 250;

/** One running kernel and the connection to it. */
export class KernelClient {
  /** Sees every message on iopub, whatever request it belongs to. */
  onIopub: ((message: ClientMessage) => void) | undefined;
  /** Content of the kernel_info_reply. */
  info: JsonObject = {};

  private readonly pending = new Map<string, Pending>();
  private readonly sockets: ClientSockets;
  private heard: (() => void) | undefined;

  private constructor(
    readonly connection: Connection,
    readonly connectionFile: string,
    readonly kernel: KernelHandle,
    private readonly folder: string | undefined,
  ) {
    this.sockets = new ClientSockets(connection, (channel, message) => this.take(channel, message));
    void kernel.exited.then(() => this.died());
  }

  /** Starts a kernel and resolves when it answers on shell and iopub. */
  static async launch(options: LaunchOptions): Promise<KernelClient> {
    const folder = mkdtempSync(join(tmpdir(), 'assay-kernel-'));
    folders.add(folder);
    const file = join(folder, 'connection.json');
    const connection = await createConnectionFile(file, { transport: options.transport });
    const kernel = new KernelProcess(file, options);
    const client = new KernelClient(connection, file, kernel, folder);
    try {
      await client.ready(options.startTimeoutMs ?? DEFAULT_TIMEOUT_MS);
      return client;
    } catch (error) {
      await client.kill();
      throw error;
    }
  }

  /** Connects to a kernel that somebody else started. */
  static async attach(connectionFile: string, timeoutMs = DEFAULT_TIMEOUT_MS): Promise<KernelClient> {
    const connection = readConnectionFile(connectionFile);
    const client = new KernelClient(connection, connectionFile, new RunningKernel(), undefined);
    try {
      await client.ready(timeoutMs);
      return client;
    } catch (error) {
      client.close();
      throw error;
    }
  }

  /** The kernel's process; of a kernel somebody else started it is not known. */
  get process(): KernelHandle['process'] {
    return this.kernel.process;
  }

  /** Whether the kernel's process runs. */
  get alive(): boolean {
    return this.kernel.alive;
  }

  private async ready(timeoutMs: number): Promise<void> {
    const end = Date.now() + timeoutMs;
    const iopub = new Promise<void>((resolve) => (this.heard = resolve));
    for (;;) {
      try {
        const options = { timeoutMs: NUDGE_MS, waitIdle: false };
        const { reply } = await this.request('shell', 'kernel_info_request', {}, options);
        this.info = reply?.content ?? {};
        const heard = await Promise.race([iopub.then(() => true), delay(NUDGE_MS)]);
        if (heard) return;
      } catch (error) {
        if (!(error instanceof KernelTimeout)) throw error;
      }
      if (Date.now() > end)
        throw new Error(
          `KernelClient.launch: the kernel must answer within ${timeoutMs} ms\n${this.kernel.output}`,
        );
    }
  }

  /** Runs code; resolves with the reply and everything the cell put out. */
  async execute(code: string, options: ExecuteOptions = {}): Promise<Exchange> {
    const content = {
      code,
      silent: options.silent ?? false,
      store_history: options.storeHistory ?? !options.silent,
      user_expressions: options.userExpressions ?? {},
      allow_stdin: options.onInput !== undefined,
      stop_on_error: options.stopOnError ?? true,
    };
    return this.request('shell', 'execute_request', content, options);
  }

  /** Sends a request and waits for its reply and its idle. */
  request(
    channel: RequestChannel,
    type: string,
    content: JsonObject,
    options: RequestOptions & Pick<ExecuteOptions, 'onInput'> = {},
  ): Promise<Exchange> {
    if (!this.alive) return Promise.reject(this.death(`${type} could not be sent`));
    const id = this.send(channel, type, content, options);
    const exchange: Pending['exchange'] = { id, reply: undefined, messages: [], idle: false };
    return new Promise((resolve, reject) => {
      const timeoutMs = options.timeoutMs ?? DEFAULT_TIMEOUT_MS;
      const late = () => {
        this.pending.delete(id);
        reject(new KernelTimeout(`${type}: no answer within ${timeoutMs} ms`, exchange));
      };
      const timer = timeoutMs > 0 ? setTimeout(late, timeoutMs) : undefined;
      const check = () => {
        if (!exchange.reply && options.waitReply !== false) return;
        if (!exchange.idle && options.waitIdle !== false) return;
        clearTimeout(timer);
        this.pending.delete(id);
        resolve(exchange);
      };
      const fail = (error: Error) => {
        clearTimeout(timer);
        reject(error);
      };
      this.pending.set(id, { exchange, options, check, reject: fail });
    });
  }

  /** Sends a message and waits for nothing; returns its id. */
  send(
    channel: RequestChannel,
    type: string,
    content: JsonObject,
    options: Pick<RequestOptions, 'metadata' | 'buffers' | 'subshell'> = {},
  ): string {
    const header = options.subshell === undefined ? undefined : { subshell_id: options.subshell };
    const { metadata, buffers } = options;
    return this.sockets.send(channel, type, content, { metadata, buffers, header });
  }

  /** Sends frames as they are: for tests of what a kernel makes of broken messages. */
  sendRaw(channel: RequestChannel, frames: (Buffer | Uint8Array)[]): void {
    this.sockets.sendRaw(channel, frames);
  }

  /** Whether the heartbeat answers in time. */
  heartbeat(timeoutMs = 2000): Promise<boolean> {
    return this.sockets.heartbeat(timeoutMs);
  }

  /** Stops what runs, by interrupt_request or by SIGINT as the kernelspec says. */
  async interrupt(how: 'message' | 'signal' = 'message'): Promise<void> {
    if (how === 'signal') this.kernel.process.kill('SIGINT');
    else await this.request('control', 'interrupt_request', {}, { waitIdle: false });
  }

  /**
   * Asks the kernel to end and waits for its process. Resolves with true when it ended by itself; after
   * `timeoutMs` (5 s) it is killed and the answer is false.
   */
  async shutdown(options: { restart?: boolean; timeoutMs?: number } = {}): Promise<boolean> {
    const content = { restart: options.restart ?? false };
    if (this.folder === undefined) {
      await this.request('control', 'shutdown_request', content, { waitIdle: false });
      this.close();
      return true;
    }
    if (this.alive) this.send('control', 'shutdown_request', content);
    const ended = await Promise.race([this.kernel.exited.then(() => true), delay(options.timeoutMs ?? 5000)]);
    await this.kill();
    return ended;
  }

  /** Ends the process the hard way and closes the connection. */
  async kill(): Promise<void> {
    this.kernel.kill();
    await this.kernel.exited;
    this.close();
  }

  /** Closes the connection; the kernel goes on. */
  close(): void {
    this.sockets.close();
    if (this.folder === undefined) return;
    folders.delete(this.folder);
    rmSync(this.folder, { recursive: true, force: true });
  }

  private take(channel: 'iopub' | RequestChannel, message: JupyterMessage): void {
    const { header, parent, content, metadata, buffers } = message;
    const seen = { channel, type: header.msg_type, content, metadata, header, parent, buffers };
    if (channel === 'iopub') {
      this.heard?.();
      this.onIopub?.(seen);
    }
    const pending = this.pending.get(String(parent.msg_id));
    if (!pending) return;
    if (channel === 'stdin') return this.answerInput(pending, message);
    if (channel === 'iopub') pending.exchange.messages.push(seen);
    else pending.exchange.reply = seen;
    if (seen.type === 'status' && content.execution_state === 'idle') pending.exchange.idle = true;
    pending.options.onMessage?.(seen);
    pending.check();
  }

  private answerInput(pending: Pending, request: JupyterMessage): void {
    const { onInput } = pending.options;
    if (request.header.msg_type !== 'input_request' || !onInput) return;
    void (async () => {
      const value = await onInput(String(request.content.prompt), request.content.password === true);
      this.sockets.send('stdin', 'input_reply', { status: 'ok', value }, { parent: request.rawHeader });
    })();
  }

  private died(): void {
    for (const pending of this.pending.values()) pending.reject(this.death('a request was open'));
    this.pending.clear();
  }

  private death(what: string): KernelDied {
    if (this.folder === undefined) return new KernelDied(`the connection was closed: ${what}`);
    const { exitCode, signalCode } = this.kernel.process;
    const how = signalCode ? `signal ${signalCode}` : `exit code ${exitCode}`;
    return new KernelDied(`the kernel ended (${how}): ${what}\n${this.kernel.output}`.trimEnd());
  }
}

function delay(ms: number): Promise<false> {
  return new Promise((resolve) => setTimeout(() => resolve(false), ms).unref());
}
