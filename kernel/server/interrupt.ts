/** Stops what the user thread runs: asked first, terminated if it does not listen, and told plainly if neither works. */
import type { Session } from 'node:inspector';
import type { InterruptState } from '../threads/interrupt-state.js';
import type { ToUser } from '../threads/messages.js';

export type Outcome = 'stopped' | 'terminated' | 'stuck';

/** Time for loop guards, timers, GPU calls and the event loop to end the cell by themselves. */
const COOPERATE_MS = 200;
/** Native code, the kernel's own and the library's GPU layer get this long to come to an end. */
const PATIENCE_MS = 5000;
/** For this long only code of the user's own is cut; then also Node's that the user called. */
const PICKY_MS = 400;
const RETRY_MS = 5;

interface Evaluated {
  result?: { value?: unknown };
}

const pause = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

export class Interrupter {
  private epoch = 0;
  private current: Promise<Outcome> | undefined;
  private session: Session | undefined;
  /** The question to the user thread that is not answered yet. */
  private asking: Promise<unknown> | undefined;
  private closed = false;

  constructor(
    private readonly state: InterruptState,
    private readonly post: (message: ToUser) => void,
    /** Shows a message to the user. */
    private readonly warn: (text: string) => void,
  ) {}

  /** Ends every running execution; further calls while it works share its outcome. */
  interrupt(): Promise<Outcome> {
    this.current ??= this.run().finally(() => (this.current = undefined));
    return this.current;
  }

  /** Lets go of the user thread, so that the process can end. */
  close(): void {
    this.closed = true;
    this.release();
  }

  private async run(): Promise<Outcome> {
    const epoch = ++this.epoch;
    this.state.stop = epoch;
    this.post({ type: 'interrupt', epoch });
    if (await this.acknowledged(epoch, COOPERATE_MS)) return 'stopped';
    try {
      if (await this.terminate(epoch)) return 'terminated';
    } finally {
      // An open session keeps the process from ending; one that still waits for its answer must stay.
      if (!this.asking) this.release();
    }
    if (this.state.ack >= epoch) return 'stopped';
    this.warn(
      'The cell could not be interrupted: it is inside native code, or code that must not be cut, and has not come ' +
        'back for several seconds. It ends as soon as that returns; otherwise restart the kernel.\n',
    );
    return 'stuck';
  }

  /** Has the user thread's event loop seen the interrupt within `ms`? */
  private async acknowledged(epoch: number, ms: number): Promise<boolean> {
    const end = performance.now() + ms;
    while (this.state.ack < epoch) {
      if (this.closed || performance.now() >= end) return false;
      await pause(1);
    }
    return true;
  }

  /** Asks again and again until the code that runs may be cut, and cuts it. */
  private async terminate(epoch: number): Promise<boolean> {
    const start = performance.now();
    while (performance.now() - start < PATIENCE_MS && !this.closed && this.state.ack < epoch) {
      const picky = performance.now() - start < PICKY_MS;
      const verdict = await Promise.race([this.ask(epoch, picky), pause(PATIENCE_MS)]);
      // After the cut the event loop turns; if a second piece of code holds it up, that one is cut as well.
      if (verdict === 'go' && (await this.acknowledged(epoch, COOPERATE_MS))) return true;
      if (verdict !== 'go') await this.acknowledged(epoch, RETRY_MS);
    }
    return false;
  }

  /**
   * Evaluates the user thread's own decision in the middle of its code. When it says go it sleeps until the request to
   * terminate is in the same queue, so that nothing of the interrupted code runs between decision and termination.
   */
  private async ask(epoch: number, picky: boolean): Promise<unknown> {
    if (this.asking) return this.asking;
    const session = await this.open();
    if (!session) return 'native';
    const { cells } = this.state;
    const poll = setInterval(() => {
      if (Atomics.compareExchange(cells, 3, 1, 2) !== 1) return;
      session.post('Runtime.terminateExecution');
      Atomics.store(cells, 3, 3);
    }, 1);
    const answer = new Promise<unknown>((resolve) => {
      const expression = `globalThis[Symbol.for('assay.halt')](${epoch},${picky ? 1 : 0})\n//# sourceURL=assay-halt`;
      session.post('Runtime.evaluate', { expression, returnByValue: true }, (error, reply) =>
        resolve(error ? 'native' : (reply as Evaluated).result?.value),
      );
    });
    this.asking = answer.finally(() => {
      clearInterval(poll);
      this.asking = undefined;
      if (!this.current) this.release();
    });
    return this.asking;
  }

  /** The session to the main thread, made at the first need: most interrupts never do. */
  private async open(): Promise<Session | undefined> {
    if (this.closed) return undefined;
    if (!this.session) {
      const { Session } = await import('node:inspector');
      this.session = new Session();
      this.session.connectToMainThread();
    }
    return this.session;
  }

  private release(): void {
    this.session?.disconnect();
    this.session = undefined;
  }
}
