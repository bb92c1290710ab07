/** Everything the kernel says on iopub, in order, each with the parent header of what caused it. */
import type { FromUser } from '../threads/messages.js';
import type { Parents } from './parents.js';
import { Streams } from './streams.js';
import { Updates } from './updates.js';
import type { JsonObject, Outgoing } from './wire.js';

type Display = Extract<FromUser, { type: 'display' }>;

export interface OutputOptions {
  readonly send: (type: string, content: JsonObject, outgoing: Outgoing) => void;
  readonly parents: Parents;
  readonly streamDelayMs?: number;
  readonly streamLimit?: number;
  readonly updateIntervalMs?: number;
}

/** The queue in front of the iopub socket. */
export class Outputs {
  private readonly streams: Streams;
  private readonly updates: Updates;
  /** Executions that run, newest last, by their raw header. */
  private readonly running = new Map<string, Buffer>();

  constructor(private readonly options: OutputOptions) {
    this.streams = new Streams({
      send: ({ id, name, text }) => this.send('stream', { name, text }, id),
      delayMs: options.streamDelayMs,
      limit: options.streamLimit,
    });
    this.updates = new Updates(options.updateIntervalMs);
  }

  stream(id: string, name: 'stdout' | 'stderr', text: string, lost?: number): void {
    if (text !== '' || lost) this.streams.add(id, name, text, lost);
  }

  display(display: Display): void {
    const { id, displayId, kind } = display;
    const send = () => {
      this.streams.flush();
      const content = {
        data: display.data,
        metadata: display.metadata,
        ...(displayId === undefined ? {} : { transient: { display_id: displayId } }),
        ...(display.count === undefined ? {} : { execution_count: display.count }),
      };
      this.send(kind, content, id, { buffers: display.buffers });
    };
    if (kind === 'update_display_data' && displayId !== undefined)
      return this.updates.update({ id, displayId, send });
    if (displayId !== undefined) this.updates.flushDisplay(displayId);
    send();
  }

  /** Any other message: streams that came before it go out before it. */
  publish(type: string, content: JsonObject, id: string | undefined, outgoing: Outgoing = {}): void {
    this.streams.flush();
    this.send(type, content, id, outgoing);
  }

  /** Everything of the execution is out after this. */
  finish(id: string): void {
    this.updates.flushExecution(id);
    this.streams.finish(id);
  }

  busy(id: string, execution: boolean): void {
    const parent = this.options.parents.get(id);
    if (execution && parent) this.running.set(id, parent);
    this.status('busy', parent);
  }

  /**
   * The request is dealt with. While an execution still runs its `busy` is said once more, so that the last
   * status a front end saw is the kernel's.
   */
  idle(id: string): void {
    this.finish(id);
    this.running.delete(id);
    this.status('idle', this.options.parents.get(id));
    const still = [...this.running.values()].at(-1);
    if (still) this.status('busy', still);
  }

  /** `starting`, for the first front end that listens; what the kernel does by now follows it. */
  starting(first: boolean): void {
    this.status('starting', undefined);
    const still = [...this.running.values()].at(-1);
    if (still) this.status('busy', still);
    else if (!first) this.status('idle', undefined);
  }

  close(): void {
    this.updates.close();
    this.streams.flush();
  }

  private status(state: string, parent: Buffer | undefined): void {
    this.streams.flush();
    this.options.send('status', { execution_state: state }, { parent });
  }

  private send(type: string, content: JsonObject, id: string | undefined, outgoing: Outgoing = {}): void {
    this.options.send(type, content, { ...outgoing, parent: this.options.parents.get(id) });
  }
}
