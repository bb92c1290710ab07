/** Subshells (protocol 5.5): shells of their own queue, whose cells run beside those of the main one. */
import { randomUUID } from 'node:crypto';
import { BadRequest } from './content.js';
import { ShellQueue } from './shell-queue.js';

/** A client that creates them for ever is refused before the kernel suffers. */
const MOST = 1000;

/** The subshells that exist. */
export class Subshells {
  private readonly queues = new Map<string, ShellQueue>();

  constructor(private readonly failed: (error: unknown) => void) {}

  create(): string {
    if (this.queues.size >= MOST)
      throw new BadRequest(`create_subshell_request: there may be ${MOST} subshells, delete some first`);
    const id = randomUUID();
    this.queues.set(id, new ShellQueue(this.failed));
    return id;
  }

  /** What runs in it runs to its end; what waits is aborted. */
  delete(id: string): void {
    const queue = this.queues.get(id);
    if (!queue)
      throw new BadRequest(
        `delete_subshell_request: subshell_id must name a subshell, got ${JSON.stringify(id)}`,
      );
    this.queues.delete(id);
    queue.abortWaiting();
  }

  get(id: string): ShellQueue | undefined {
    return this.queues.get(id);
  }

  list(): string[] {
    return [...this.queues.keys()];
  }
}
