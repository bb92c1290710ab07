/** The server in this process, with a real connection on one side and a made-up user thread on the other. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MessageChannel } from 'node:worker_threads';
import { KernelClient } from '../../../kernel/run/kernel-client.js';
import type { ClientMessage, Exchange } from '../../../kernel/run/kernel-client.js';
import { createConnectionFile } from '../../../kernel/server/connection.js';
import { serve } from '../../../kernel/server/server.js';
import { answer } from '../../../kernel/threads/ask.js';
import { INPUT_BYTES, InterruptState } from '../../../kernel/threads/interrupt-state.js';
import type { CellReply, CellRequest, FromUser, ToUser } from '../../../kernel/threads/messages.js';
import type { TypesRequest } from '../../../kernel/threads/types-messages.js';
import { root } from '../../structure/support.js';

export const OK: CellReply = { status: 'ok', userExpressions: {} };

export function failure(evalue: string): CellReply {
  return { status: 'error', ename: 'Error', evalue, traceback: [`Error: ${evalue}`] };
}

/** What the made-up user thread does with a cell; by default it ends at once. */
export type Body = (cell: CellRequest, post: (message: FromUser) => void) => CellReply | Promise<CellReply>;

export interface Rig {
  readonly client: KernelClient;
  /** Everything the server said to the user thread. */
  readonly heard: ToUser[];
  /** Everything on iopub, whatever its parent. */
  readonly iopub: ClientMessage[];
  readonly state: InterruptState;
  readonly input: SharedArrayBuffer;
  readonly historyFile: string;
  /** What the server told the person at its terminal. */
  readonly reports: string[];
  post(message: FromUser): void;
  /** Bodies by the cell's code. */
  readonly cells: Record<string, Body | undefined>;
  /** Called for every other message to the user thread. */
  onMessage: (message: ToUser) => void;
  types: (question: TypesRequest) => unknown;
  close(): void;
}

/** Starts a server and connects a client to it. */
export async function startRig(options: { transport?: 'tcp' | 'ipc' } = {}): Promise<Rig> {
  const folder = mkdtempSync(join(tmpdir(), 'assay-rig-'));
  const connectionFile = join(folder, 'connection.json');
  await createConnectionFile(connectionFile, options);
  const [user, types] = [new MessageChannel(), new MessageChannel()];
  const state = new InterruptState();
  const input = new SharedArrayBuffer(INPUT_BYTES);
  const historyFile = join(folder, 'history.jsonl');
  const before = process.env.ASSAY_HISTORY;
  process.env.ASSAY_HISTORY = historyFile;
  const shared = { interrupt: state.buffer, input, root, folder };
  const post = (message: FromUser) => user.port2.postMessage(message);
  const rig = {
    reports: [],
    heard: [],
    iopub: [],
    state,
    input,
    historyFile,
    post,
    cells: {},
  } as unknown as Rig & {
    client: KernelClient;
  };
  const server = await serve({ connectionFile, user: user.port1, types: types.port1, ...shared }, (text) =>
    rig.reports.push(text),
  );
  if (before === undefined) delete process.env.ASSAY_HISTORY;
  else process.env.ASSAY_HISTORY = before;
  rig.onMessage = () => {};
  rig.types = () => undefined;
  user.port2.on('message', (message: ToUser) => {
    rig.heard.push(message);
    if (message.type === 'interrupt') {
      rig.state.stop = 0;
      rig.state.ack = message.epoch;
    }
    if (message.type !== 'execute') return rig.onMessage(message);
    const { cell } = message;
    void (async () => {
      const reply = (await rig.cells[cell.code]?.(cell, post)) ?? OK;
      post({ type: 'done', id: cell.id, reply });
    })();
  });
  answer(types.port2, (question: TypesRequest) => rig.types(question));
  rig.client = await KernelClient.attach(connectionFile);
  rig.client.onIopub = (message) => rig.iopub.push(message);
  rig.close = () => {
    rig.client.close();
    server.close();
    for (const port of [user.port1, user.port2, types.port1, types.port2]) port.close();
    rmSync(folder, { recursive: true, force: true });
  };
  return rig;
}

/** Types of the messages of an exchange, with the state of those that are a status. */
export function shape({ messages }: Exchange): string[] {
  return messages.map(({ type, content }) => (type === 'status' ? String(content.execution_state) : type));
}

export function streamText({ messages }: Exchange, name?: string): string {
  const streams = messages.filter(
    ({ type, content }) => type === 'stream' && (content.name === name || !name),
  );
  return streams.map(({ content }) => content.text as string).join('');
}

export function later(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Waits until `check` holds; fails naming `what` when it never does. */
export async function until(what: string, check: () => boolean): Promise<void> {
  for (let tries = 0; tries < 1000; tries++) {
    if (check()) return;
    await later(10);
  }
  throw new Error(`until: ${what} must come true, waited 10 s`);
}
