/** Questions to the person at the front end: awaited, or with the thread asleep until the answer comes. */
import { INPUT_BYTES } from '../threads/interrupt-state.js';
import type { FromUser, InputRequest } from '../threads/messages.js';
import { CellInterrupted, currentExecution, type Execution } from './executions.js';

const WAITING = 0;
const INTERRUPTED = 2;
const REFUSED = 3;
/** State and byte count stand before the text. */
const HEAD = 8;

export class Inputs {
  private readonly cells: Int32Array;
  private readonly bytes: Uint8Array;
  private readonly open = new Map<number, (answer: string | Error) => void>();
  private next = 1;

  constructor(
    private readonly send: (message: FromUser) => void,
    buffer: SharedArrayBuffer,
  ) {
    this.cells = new Int32Array(buffer, 0, 2);
    this.bytes = new Uint8Array(buffer, HEAD, Math.min(buffer.byteLength, INPUT_BYTES) - HEAD);
  }

  async ask(prompt: string, password = false): Promise<string> {
    const execution = asker('input');
    const ask = this.next++;
    const answered = new Promise<string | Error>((resolve) => this.open.set(ask, resolve));
    this.send(question(execution, ask, prompt, password, false));
    try {
      const value = await Promise.race([answered, execution.interruption]);
      if (value instanceof Error) throw value;
      return value;
    } finally {
      this.open.delete(ask);
    }
  }

  /** The thread sleeps: nothing else of any cell runs until the answer or an interrupt comes. */
  askSync(prompt: string, password = false): string {
    const execution = asker('prompt');
    Atomics.store(this.cells, 0, WAITING);
    this.send(question(execution, this.next++, prompt, password, true));
    while (Atomics.load(this.cells, 0) === WAITING) Atomics.wait(this.cells, 0, WAITING);
    if (Atomics.load(this.cells, 0) === INTERRUPTED) throw new CellInterrupted();
    // A copy: TextDecoder takes no shared memory.
    const text = new TextDecoder().decode(this.bytes.slice(0, Atomics.load(this.cells, 1)));
    if (Atomics.load(this.cells, 0) === REFUSED) throw new Error(text);
    return text;
  }

  /** The answer to a question asked without sleeping. */
  answered(ask: number, value: string, error?: string): void {
    this.open.get(ask)?.(error === undefined ? value : new Error(error));
  }
}

function question(
  execution: Execution,
  ask: number,
  prompt: string,
  password: boolean,
  sync: boolean,
): InputRequest {
  return { type: 'input', id: execution.id, ask, prompt, password, sync };
}

function asker(what: string): Execution {
  const execution = currentExecution();
  if (!execution) throw new Error(`${what}: needs a running cell, got none`);
  if (!execution.allowStdin)
    throw new Error(
      `${what}: needs a front end that can ask, got one that takes no input (a headless run); give the value in the notebook's parameters`,
    );
  return execution;
}
