/** The user thread in a process of its own, with the test as its server. */
import { fork, type ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { CellReply, CellRequest, FromUser, ToUser } from '../../../kernel/threads/messages.js';
import { root } from '../../structure/support.js';
import { kernelDist } from '../../support/kernel-dist.js';

export type Message = FromUser;
type Of<T extends FromUser['type']> = Extract<FromUser, { type: T }>;

/** What one execution sent up to its reply. */
export interface Ran {
  readonly messages: Message[];
  readonly reply: CellReply;
  readonly stdout: string;
  readonly stderr: string;
  /** text/plain of the result. */
  readonly result: unknown;
  readonly error: Of<'error'> | undefined;
}

const COLOURS = /\u001b\[[0-9;]*m/g;

export function plain(text: string): string {
  return text.replace(COLOURS, '');
}

export function printed(messages: readonly Message[], name: 'stdout' | 'stderr'): string {
  return messages
    .map((message) => (message.type === 'stream' && message.name === name ? message.text : ''))
    .join('');
}

export class UserProcess {
  readonly folder = mkdtempSync(join(tmpdir(), 'assay user '));
  readonly all: Message[] = [];
  private readonly child: ChildProcess;
  private readonly listeners = new Set<() => void>();
  private count = 0;

  constructor(mode: 'plain' | 'real' = 'plain', env: Record<string, string> = {}) {
    const child = fileURLToPath(new URL('child.mjs', import.meta.url));
    this.child = fork(child, [kernelDist(), root, this.folder, mode], {
      cwd: this.folder,
      serialization: 'advanced',
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
      env: { ...process.env, FORCE_COLOR: '0', ...env },
    });
    this.child.on('message', (message) => {
      this.all.push(message as Message);
      for (const listener of this.listeners) listener();
    });
    this.child.on('exit', () => {
      for (const listener of this.listeners) listener();
    });
  }

  get alive(): boolean {
    return this.child.exitCode === null && this.child.signalCode === null;
  }

  send(message: ToUser): void {
    this.child.send(message);
  }

  /** Waits until `find` finds something among all messages. */
  async until<T>(find: (messages: readonly Message[]) => T | undefined, what: string): Promise<T> {
    const limit = Date.now() + 30_000;
    for (;;) {
      const found = find(this.all);
      if (found !== undefined) return found;
      if (!this.alive) throw new Error(`${what}: the process ended`);
      if (Date.now() > limit) throw new Error(`${what}: did not come in 30 s`);
      await new Promise<void>((resolve) => {
        const listener = (): void => {
          this.listeners.delete(listener);
          clearTimeout(timer);
          resolve();
        };
        const timer = setTimeout(listener, 1000);
        this.listeners.add(listener);
      });
    }
  }

  /** Sends a cell. @returns its id */
  begin(code: string, options: Partial<CellRequest> = {}): string {
    const count = ++this.count;
    const id = options.id ?? `e${count}`;
    const cell: CellRequest = {
      id,
      code,
      count,
      silent: false,
      storeHistory: true,
      userExpressions: {},
      allowStdin: true,
      ...options,
    };
    this.send({ type: 'execute', cell });
    return id;
  }

  async end(id: string): Promise<Ran> {
    const done = await this.until(
      (all) => all.find((message): message is Of<'done'> => message.type === 'done' && message.id === id),
      `the reply to ${id}`,
    );
    const messages = this.of(id);
    const result = messages.find(
      (message) => message.type === 'display' && message.kind === 'execute_result',
    );
    return {
      messages,
      reply: done.reply,
      stdout: printed(messages, 'stdout'),
      stderr: printed(messages, 'stderr'),
      result: result?.type === 'display' ? result.data['text/plain'] : undefined,
      error: messages.find((message): message is Of<'error'> => message.type === 'error'),
    };
  }

  run(code: string, options: Partial<CellRequest> = {}): Promise<Ran> {
    return this.end(this.begin(code, options));
  }

  /** Everything sent for an execution so far. */
  of(id: string): Message[] {
    return this.all.filter((message) => 'id' in message && message.id === id);
  }

  /** Ends the process and removes its folder. */
  async close(): Promise<void> {
    const ended = this.alive && new Promise((resolve) => this.child.once('exit', resolve));
    this.child.kill('SIGKILL');
    await ended;
    rmSync(this.folder, { recursive: true, force: true });
  }
}
