/**
 * What the threads of the Jupyter kernel say to each other. The server thread owns the sockets and speaks the
 * protocol; the user thread (the process's main thread) runs cells; the types thread holds the compiler.
 */
import type { MessagePort } from 'node:worker_threads';

export type MimeBundle = Record<string, unknown>;
export type Metadata = Record<string, unknown>;
export type Buffers = Uint8Array[];

/** One execution. `id` is the msg_id of its request: every output names the execution it belongs to by it. */
export interface CellRequest {
  readonly id: string;
  readonly code: string;
  /** The number in the square brackets; its frames and code frames say `cell-COUNT.ts`. */
  readonly count: number;
  readonly silent: boolean;
  readonly storeHistory: boolean;
  readonly userExpressions: Record<string, string>;
  readonly allowStdin: boolean;
  /** The front end's id of the cell (metadata.cellId), where it sends one. */
  readonly cellId?: string;
}

export interface ErrorContent {
  readonly ename: string;
  readonly evalue: string;
  /** Lines with ANSI colours; the last says what and, for an error of a cell, the code frame is among them. */
  readonly traceback: string[];
}

export type UserExpression =
  { status: 'ok'; data: MimeBundle; metadata: Metadata } | ({ status: 'error' } & ErrorContent);

export type CellReply =
  { status: 'ok'; userExpressions: Record<string, UserExpression> } | ({ status: 'error' } & ErrorContent);

/** Server to user. */
export type ToUser =
  | { type: 'execute'; cell: CellRequest }
  /** Every running execution, or the one named, shall end; `epoch` is written back into InterruptState.ack. */
  | { type: 'interrupt'; epoch: number; id?: string }
  | CommMessage
  /** The reply to a `prompt` asked for without waiting in place (see InputRequest); `error` says why there is none. */
  | { type: 'input'; ask: number; value: string; error?: string }
  /** Names the live objects of the session know; asked for completion. */
  | { type: 'members'; ask: number; expression: string }
  | { type: 'shutdown'; restart: boolean };

/**
 * A comm message in either direction. `id` is the msg_id of the front end's message (towards user) or of the
 * execution or comm message in whose course it was sent (towards server; absent when none).
 */
export interface CommMessage {
  readonly type: 'comm';
  readonly kind: 'open' | 'msg' | 'close';
  readonly id?: string;
  readonly commId: string;
  readonly targetName?: string;
  readonly data: unknown;
  readonly metadata?: Metadata;
  readonly buffers?: Buffers;
}

/** An input_request for the front end. With `sync` the user thread sleeps in Atomics.wait on the input cells. */
export interface InputRequest {
  readonly type: 'input';
  readonly id: string;
  readonly ask: number;
  readonly prompt: string;
  readonly password: boolean;
  readonly sync: boolean;
}

/** User to server. `id` names the execution (or comm message) an output belongs to, also long after its end. */
export type FromUser =
  /** The thread can take cells. */
  | { type: 'ready' }
  /** `lost` counts characters beyond the limit that were not even sent. */
  | { type: 'stream'; id: string; name: 'stdout' | 'stderr'; text: string; lost?: number }
  | {
      type: 'display';
      id: string;
      kind: 'display_data' | 'update_display_data' | 'execute_result';
      data: MimeBundle;
      metadata: Metadata;
      displayId?: string;
      /** Present on execute_result. */
      count?: number;
      buffers?: Buffers;
    }
  | { type: 'clear'; id: string; wait: boolean }
  | ({ type: 'error'; id: string } & ErrorContent)
  /** The execution ended; nothing of its own awaited work is outstanding. */
  | { type: 'done'; id: string; reply: CellReply }
  /** The front end's comm message was handled (its status may go idle). */
  | { type: 'comm-done'; id: string }
  | CommMessage
  | InputRequest
  | { type: 'members'; ask: number; names: string[] }
  /** A child process of a cell started or ended; those alive are killed at shutdown. */
  | { type: 'child'; pid: number; alive: boolean }
  /** The adapter line for the banner, once known. */
  | { type: 'adapter'; text: string }
  /** Everything is put away; the process may end. */
  | { type: 'closed' };

/** What a worker is started with. */
export interface ServerThreadData {
  readonly connectionFile: string;
  readonly user: MessagePort;
  readonly types: MessagePort;
  readonly interrupt: SharedArrayBuffer;
  readonly input: SharedArrayBuffer;
  /** Folder of the project. */
  readonly root: string;
  /** Folder the cells run in. */
  readonly folder: string;
}

export interface TypesThreadData {
  readonly user: MessagePort;
  readonly server: MessagePort;
  /** Node's loader thread: asks `locate` and `module` for the local files that programs import. */
  readonly loader: MessagePort;
  readonly root: string;
  readonly folder: string;
  /** Own names of globalThis before the first cell: a cell that declares one shadows it, never replaces it. */
  readonly globals: string[];
}
