/** Updates of displays, thinned: of many updates of one display in a short time only the last goes out. */

export interface Update {
  /** The execution it belongs to. */
  readonly id: string;
  readonly displayId: string;
  readonly send: () => void;
}

interface State {
  waiting: Update | undefined;
  timer: NodeJS.Timeout;
}

/** At most ten updates a second of one display. */
const INTERVAL_MS = 100;

/** Lets the first update through at once and later ones at most every `intervalMs`, the last always. */
export class Updates {
  private readonly states = new Map<string, State>();

  constructor(private readonly intervalMs = INTERVAL_MS) {}

  update(update: Update): void {
    const state = this.states.get(update.displayId);
    if (state) {
      // An update of another execution has another parent header, so it does not replace this one.
      if (state.waiting && state.waiting.id !== update.id) state.waiting.send();
      state.waiting = update;
      return;
    }
    update.send();
    this.rest(update.displayId);
  }

  /** Sends the waiting update of one display: something that must come after it is about to go out. */
  flushDisplay(displayId: string): void {
    const state = this.states.get(displayId);
    const waiting = state?.waiting;
    if (!state || !waiting) return;
    state.waiting = undefined;
    waiting.send();
  }

  /** Sends the waiting updates of one execution, which ends. */
  flushExecution(id: string): void {
    for (const [displayId, state] of this.states) if (state.waiting?.id === id) this.flushDisplay(displayId);
  }

  /** Sends everything and forgets all timers. */
  close(): void {
    for (const [displayId, state] of this.states) {
      this.flushDisplay(displayId);
      clearTimeout(state.timer);
    }
    this.states.clear();
  }

  private rest(displayId: string): void {
    const end = () => {
      const waiting = this.states.get(displayId)?.waiting;
      this.states.delete(displayId);
      if (!waiting) return;
      waiting.send();
      this.rest(displayId);
    };
    this.states.set(displayId, { waiting: undefined, timer: setTimeout(end, this.intervalMs) });
  }
}
