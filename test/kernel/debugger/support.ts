/** A process with a user thread and a debugger, spoken to over a socket. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { DebugProtocol } from '@vscode/debugprotocol';
import { kernelDist } from '../../support/kernel-dist.js';
import { root } from '../../structure/support.js';

export interface Event {
  event: string;
  body: Record<string, unknown>;
}
type Body = Record<string, never>;
export type Named = { name: string; value: string; type: string; variablesReference: number };

export class Driver {
  readonly events: Event[] = [];
  private readonly waiting = new Map<number, { resolve(value: unknown): void; reject(error: Error): void }>();
  private watchers: (() => void)[] = [];
  private seen = 0;
  private next = 1;
  stderr = '';

  private constructor(
    private readonly child: ChildProcess,
    private readonly server: Server,
    private readonly socket: Socket,
  ) {
    child.stderr?.on('data', (data: Buffer) => (this.stderr += data.toString()));
    createInterface({ input: socket }).on('line', (line) => {
      const message = JSON.parse(line) as { event?: Event; ask: number; answer?: unknown; error?: string };
      if (message.event) {
        this.events.push(message.event);
        for (const watcher of this.watchers.splice(0)) watcher();
      } else if (message.error !== undefined) this.waiting.get(message.ask)?.reject(new Error(message.error));
      else this.waiting.get(message.ask)?.resolve(message.answer);
    });
  }

  static async start(folder: string): Promise<Driver> {
    const server = createServer();
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as { port: number };
    const module = join(kernelDist(), 'kernel', 'server', 'debugger', 'index.js');
    const user = join(root, 'test', 'kernel', 'debugger', 'fixtures', 'user.mjs');
    const child = spawn(process.execPath, [user, module, String(port), folder], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    const [socket] = (await once(server, 'connection')) as [Socket];
    return new Driver(child, server, socket);
  }

  private ask<T>(verb: string, rest: object = {}): Promise<T> {
    const ask = this.next++;
    this.socket.write(`${JSON.stringify({ ask, verb, ...rest })}\n`);
    return new Promise<unknown>((resolve, reject) =>
      this.waiting.set(ask, { resolve, reject }),
    ) as Promise<T>;
  }

  /** The whole response. */
  response(command: string, args: object = {}): Promise<DebugProtocol.Response> {
    return this.ask('request', { message: { type: 'request', seq: this.next, command, arguments: args } });
  }

  /** The body of a response that must succeed. */
  async request<T = Body>(command: string, args: object = {}): Promise<T> {
    const response = await this.response(command, args);
    if (!response.success) throw new Error(`${command}: ${response.message}`);
    return response.body as T;
  }

  /** Runs a cell; `script` and `lines` where it runs as another text. */
  run(count: number, code: string, emitted: { script?: string; lines?: number[] } = {}): Promise<unknown> {
    return this.ask('run', { count, code, ...emitted });
  }

  interrupt(): Promise<unknown> {
    return this.ask('interrupt');
  }

  /** The next event of the name that was not awaited before. */
  async event(name: string): Promise<Event> {
    for (;;) {
      while (this.seen < this.events.length) {
        const event = this.events[this.seen++];
        if (event.event === name) return event;
      }
      await new Promise<void>((resolve) => this.watchers.push(resolve));
    }
  }

  async attach(): Promise<void> {
    await this.request('initialize');
    await this.request('attach');
  }

  /** Sets breakpoints in a cell's code; answers the lines they got. */
  async breakpoints(code: string, asked: object[]): Promise<number[]> {
    const { sourcePath } = await this.request<{ sourcePath: string }>('dumpCell', { code });
    const args = { source: { path: sourcePath }, breakpoints: asked };
    const { breakpoints } = await this.request<{ breakpoints: { line: number }[] }>('setBreakpoints', args);
    return breakpoints.map(({ line }) => line);
  }

  /** Waits for a stop; answers its frames. */
  async stop(): Promise<{ reason: unknown; frames: DebugProtocol.StackFrame[] }> {
    const { body } = await this.event('stopped');
    const { stackFrames } = await this.request<{ stackFrames: DebugProtocol.StackFrame[] }>('stackTrace', {
      threadId: 1,
    });
    return { reason: body.reason, frames: stackFrames };
  }

  async children(variablesReference: number): Promise<Named[]> {
    return (await this.request<{ variables: Named[] }>('variables', { variablesReference })).variables;
  }

  /** Names and values of a scope of a frame. */
  async scope(frameId: number, name: string): Promise<Record<string, string>> {
    const { scopes } = await this.request<{ scopes: Named[] }>('scopes', { frameId });
    const scope = scopes.find((one) => one.name === name);
    if (!scope) throw new Error(`scope: there are ${scopes.map((one) => one.name).join(', ')}`);
    return Object.fromEntries((await this.children(scope.variablesReference)).map((v) => [v.name, v.value]));
  }

  /** Closes the debugger and answers the process's exit code. */
  async close(): Promise<number | null> {
    const exit = once(this.child, 'exit') as Promise<[number | null]>;
    this.ask('close').catch(() => undefined);
    const late = setTimeout(() => this.child.kill('SIGKILL'), 10_000);
    const [code] = await exit;
    clearTimeout(late);
    this.socket.destroy();
    this.server.close();
    return code;
  }
}
