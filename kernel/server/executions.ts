/** Execute requests: numbered, handed to the user thread, answered when it is done with them. */
import type { CellReply, CellRequest, ToUser } from '../threads/messages.js';
import { BadRequest, errorContent, flagOf, textOf, textsOf } from './content.js';
import type { History } from './history.js';
import type { Outputs } from './outputs.js';
import type { Parents } from './parents.js';
import type { Reply, Request } from './request.js';
import type { ShellQueue, Task } from './shell-queue.js';
import type { JsonObject, JupyterMessage } from './wire.js';

export interface ExecutionParts {
  readonly outputs: Outputs;
  readonly parents: Parents;
  readonly history: History;
  readonly reply: Reply;
  readonly post: (message: ToUser) => void;
  /** The debugger sets its breakpoints before a cell runs. */
  readonly beforeExecute: (cell: { code: string; count: number }) => Promise<void>;
}

interface Running {
  readonly request: Request;
  readonly cell: CellRequest;
  readonly done: (reply: CellReply) => void;
}

const QUIET_MS = 40;
const MOST_QUIET_MS = 1000;

/** All executions that wait or run, of every shell. */
export class Executions {
  /** Number of the last cell that counted. */
  private count = 0;
  private readonly running = new Map<string, Running>();
  private closing = false;

  constructor(private readonly parts: ExecutionParts) {}

  /** The request as a task of its shell's queue. */
  task(request: Request, queue: ShellQueue): Task {
    return {
      run: () => (this.closing ? Promise.resolve(this.abort(request)) : this.run(request, queue)),
      abort: () => this.abort(request),
    };
  }

  /** The user thread ended an execution. */
  done(id: string, reply: CellReply): void {
    this.running.get(id)?.done(reply);
  }

  /** A result for the history. */
  result(id: string, text: unknown): void {
    const cell = this.running.get(id)?.cell;
    if (cell?.storeHistory && typeof text === 'string') this.parts.history.output(cell.count, text);
  }

  /** Executions that run now. */
  ids(): string[] {
    return [...this.running.keys()];
  }

  isSilent(id: string): boolean {
    return this.running.get(id)?.cell.silent ?? false;
  }

  /** The request of a running execution that may ask for input. */
  asking(id: string): JupyterMessage | undefined {
    const running = this.running.get(id);
    return running?.cell.allowStdin ? running.request.message : undefined;
  }

  /** From now on nothing more is run. */
  close(): void {
    this.closing = true;
  }

  private async run(request: Request, queue: ShellQueue): Promise<void> {
    const { outputs, parents, reply } = this.parts;
    const id = request.message.header.msg_id;
    const started = { started: new Date().toISOString(), dependencies_met: true };
    parents.begin(id, request.message.rawHeader);
    outputs.busy(id, true);
    let stop = true;
    let content: JsonObject;
    try {
      stop = flagOf(request.message.content, 'stop_on_error', true);
      content = await this.execute(request);
    } catch (error) {
      content = { ...errorContent(error), execution_count: this.count };
      outputs.publish('error', { ...content, status: undefined, execution_count: undefined }, id);
    }
    outputs.finish(id);
    if (content.status === 'error' && stop) await this.abortQueued(queue);
    reply(request, 'execute_reply', content, { ...started, status: content.status });
    outputs.idle(id);
    parents.end(id);
  }

  private async execute(request: Request): Promise<JsonObject> {
    const cell = this.cellOf(request.message);
    const { outputs, history, beforeExecute } = this.parts;
    if (cell.storeHistory) this.count = cell.count;
    if (!cell.silent)
      outputs.publish('execute_input', { code: cell.code, execution_count: cell.count }, cell.id);
    await beforeExecute(cell);
    const handed = this.hand(request, cell);
    // The cell runs already while its text is written to the disk.
    if (cell.storeHistory) history.input(cell.count, cell.code);
    const done = await handed;
    if (done.status === 'ok') {
      const user_expressions = done.userExpressions;
      return { status: 'ok', execution_count: cell.count, user_expressions, payload: [] };
    }
    const { ename, evalue, traceback } = done;
    return { status: 'error', execution_count: cell.count, ename, evalue, traceback };
  }

  private hand(request: Request, cell: CellRequest): Promise<CellReply> {
    return new Promise((resolve) => {
      const done = (reply: CellReply) => {
        this.running.delete(cell.id);
        resolve(reply);
      };
      this.running.set(cell.id, { request, cell, done });
      this.parts.post({ type: 'execute', cell });
    });
  }

  private cellOf({ header, content, metadata }: JupyterMessage): CellRequest {
    if (this.running.has(header.msg_id))
      throw new BadRequest(`execute_request: msg_id must be new, got ${header.msg_id}, which still runs`);
    const silent = flagOf(content, 'silent', false);
    const cellId = typeof metadata.cellId === 'string' ? metadata.cellId : undefined;
    return {
      id: header.msg_id,
      code: textOf(content, 'code'),
      // One that does not count shows the number the next cell gets.
      count: this.count + 1,
      silent,
      storeHistory: !silent && flagOf(content, 'store_history', true),
      userExpressions: textsOf(content, 'user_expressions'),
      allowStdin: flagOf(content, 'allow_stdin', true),
      ...(cellId === undefined ? {} : { cellId }),
    };
  }

  /**
   * Requests sent before the error was known share its fate. Whoever waits for the reply has sent nothing yet, so
   * the reply waits until no more requests come: those of a "run all" take their time to get here.
   */
  private async abortQueued(queue: ShellQueue): Promise<void> {
    const start = performance.now();
    let wait = QUIET_MS;
    while (wait > 0 && performance.now() - start < MOST_QUIET_MS) {
      await new Promise((resolve) => setTimeout(resolve, wait));
      wait = QUIET_MS - (performance.now() - queue.lastPush);
    }
    queue.abortWaiting();
  }

  private abort(request: Request): void {
    const { outputs, parents, reply } = this.parts;
    const { header, rawHeader } = request.message;
    parents.begin(header.msg_id, rawHeader);
    outputs.busy(header.msg_id, false);
    const content = { status: 'aborted', execution_count: this.count };
    reply(request, 'execute_reply', content, { status: 'aborted' });
    outputs.idle(header.msg_id);
    parents.end(header.msg_id);
  }
}
