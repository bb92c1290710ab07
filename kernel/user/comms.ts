/** Comms: named channels between a cell and the front end, opened by either side. */
import { randomUUID } from 'node:crypto';
import type { Comm } from '../notebook/host.js';
import type { Buffers, CommMessage, FromUser, Metadata } from '../threads/messages.js';
import { currentExecution, Execution, finished, runIn, started } from './executions.js';

type OnMessage = (data: unknown, buffers: Buffers) => unknown;
type OnClose = (data: unknown) => unknown;
type OnOpen = (comm: Comm, data: unknown, buffers: Buffers) => unknown;

interface Target {
  readonly handler: OnOpen;
  readonly execution: Execution | undefined;
}

export interface CommsOptions {
  readonly send: (message: FromUser) => void;
  /** Shows what a handler threw in the cell that opened the comm. */
  readonly fail: (error: unknown, execution: Execution) => void;
}

/** One open comm. */
class OpenComm implements Comm {
  message: OnMessage | undefined;
  closed: OnClose | undefined;
  private open = true;

  constructor(
    readonly commId: string,
    readonly targetName: string,
    /** The cell whose outputs the handlers' outputs join. */
    readonly opener: Execution | undefined,
    private readonly comms: Comms,
  ) {}

  send(data: unknown, buffers?: Buffers, metadata?: Metadata): void {
    if (!this.open) throw new Error(`comm ${this.targetName}: must be open to send, got a closed one`);
    this.comms.post({ type: 'comm', kind: 'msg', commId: this.commId, data, metadata, buffers });
  }

  close(data: unknown = {}): void {
    if (!this.open) return;
    this.end();
    this.comms.post({ type: 'comm', kind: 'close', commId: this.commId, data });
  }

  end(): void {
    this.open = false;
    this.comms.forget(this.commId);
  }

  onMessage(handler: OnMessage): void {
    this.message = handler;
  }

  onClose(handler: OnClose): void {
    this.closed = handler;
  }
}

export class Comms {
  private readonly open = new Map<string, OpenComm>();
  private readonly targets = new Map<string, Target>();

  constructor(private readonly options: CommsOptions) {}

  openComm(targetName: string, data: unknown, metadata?: Metadata, buffers?: Buffers): Comm {
    const comm = new OpenComm(randomUUID(), targetName, currentExecution(), this);
    this.post({ type: 'comm', kind: 'open', commId: comm.commId, targetName, data, metadata, buffers });
    this.open.set(comm.commId, comm);
    return comm;
  }

  registerTarget(targetName: string, handler: OnOpen): void {
    this.targets.set(targetName, { handler, execution: currentExecution() });
  }

  forget(commId: string): void {
    this.open.delete(commId);
  }

  /** Sends a comm message in the name of the running execution. */
  post(message: CommMessage): void {
    this.options.send({ ...message, id: currentExecution()?.id });
  }

  /** Handles a comm message of the front end; says `comm-done` when its handler has settled. */
  async receive(message: CommMessage): Promise<void> {
    try {
      if (message.kind === 'open') await this.opened(message);
      else if (message.kind === 'msg') await this.told(message);
      else await this.ended(message);
    } finally {
      if (message.id !== undefined) this.options.send({ type: 'comm-done', id: message.id });
    }
  }

  private async opened(message: CommMessage): Promise<void> {
    const { commId, targetName = '', data, buffers = [] } = message;
    const target = this.targets.get(targetName);
    if (!target) {
      // The protocol's answer to an unknown target.
      this.options.send({ type: 'comm', kind: 'close', id: message.id, commId, data: {} });
      return;
    }
    const comm = new OpenComm(commId, targetName, target.execution, this);
    this.open.set(commId, comm);
    await this.handle(message, target.execution, () => target.handler(comm, data, buffers));
  }

  private async told({ commId, data, buffers = [], ...rest }: CommMessage): Promise<void> {
    const comm = this.open.get(commId);
    if (!comm?.message) return;
    const { message } = comm;
    await this.handle({ commId, data, ...rest }, comm.opener, () => message(data, buffers));
  }

  private async ended(message: CommMessage): Promise<void> {
    const comm = this.open.get(message.commId);
    if (!comm) return;
    comm.end();
    const { closed } = comm;
    if (closed) await this.handle(message, comm.opener, () => closed(message.data));
  }

  /** Runs a handler as an execution of its own, so that it can be interrupted and its outputs find their cell. */
  private async handle(
    message: CommMessage,
    opener: Execution | undefined,
    body: () => unknown,
  ): Promise<void> {
    const id = message.id ?? opener?.id ?? message.commId;
    const execution = new Execution(
      id,
      opener?.count ?? 0,
      'comm',
      opener?.outputId ?? id,
      opener?.allowStdin,
    );
    started(execution);
    try {
      await Promise.race([runIn(execution, async () => body()), execution.interruption]);
    } catch (error) {
      if (!execution.interrupted) this.options.fail(error, execution);
    } finally {
      finished(execution);
    }
  }
}
