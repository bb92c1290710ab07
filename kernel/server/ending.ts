/** The end of the kernel: whatever state the other threads are in, the process is gone within a second. */
import { killTree } from './processes.js';

export interface EndingParts {
  /** Asks the user thread to put everything away; it may be in a loop and never answer. */
  readonly ask: (restart: boolean) => void;
  /** Sends what still waits. */
  readonly flush: () => Promise<void>;
  /** Ends the process. */
  readonly kill: () => void;
}

/** For the user thread to put things away. */
const CLOSE_MS = 400;
const FLUSH_MS = 100;
/** ZeroMQ's own thread writes to the network meanwhile; nothing tells when it is through. */
const NETWORK_MS = 50;

/** Ends the process once, tidily when it can. */
export class Ending {
  readonly children = new Set<number>();
  private started: Promise<void> | undefined;
  private closed: () => void = () => {};

  constructor(private readonly parts: EndingParts) {}

  get begun(): boolean {
    return this.started !== undefined;
  }

  /** The user thread put everything away. */
  userClosed(): void {
    this.closed();
  }

  begin(restart: boolean): Promise<void> {
    this.started ??= this.run(restart);
    return this.started;
  }

  private async run(restart: boolean): Promise<void> {
    const closed = new Promise<void>((resolve) => (this.closed = resolve));
    this.parts.ask(restart);
    for (const pid of this.children) killTree(pid, 'SIGTERM');
    await Promise.race([closed, delay(CLOSE_MS)]);
    for (const pid of this.children) killTree(pid, 'SIGKILL');
    await Promise.race([this.parts.flush(), delay(FLUSH_MS)]);
    await delay(NETWORK_MS);
    this.parts.kill();
  }
}

function delay(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
