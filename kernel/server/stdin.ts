/** Questions of cells to the front end's user, asked with or without the user thread sleeping meanwhile. */
import type { InputRequest, ToUser } from '../threads/messages.js';
import type { Send } from './request.js';
import type { JupyterMessage } from './wire.js';

/** States of the shared memory of a synchronous question; see INPUT_BYTES. */
const ANSWERED = 1;
const INTERRUPTED = 2;
/** The text says why there is no answer. */
const REFUSED = 3;
const TEXT_AT = 8;

interface Open {
  readonly id: string;
  readonly ask: number;
  readonly sync: boolean;
}

/** Open questions by the msg_id of their input_request, oldest first. */
export class Stdin {
  private readonly open = new Map<string, Open>();
  private readonly state: Int32Array;
  private readonly bytes: Uint8Array;

  constructor(
    input: SharedArrayBuffer,
    private readonly send: Send,
    private readonly post: (message: ToUser) => void,
    /** An interrupt is on its way to the user thread, which would sleep through it. */
    private readonly interrupted: () => boolean,
  ) {
    this.state = new Int32Array(input, 0, 2);
    this.bytes = new Uint8Array(input, TEXT_AT);
  }

  /** Asks whoever sent `request`; without one (no running cell, or it may not ask) the question is refused. */
  ask(question: InputRequest, request: JupyterMessage | undefined): void {
    const { id, ask, sync, prompt, password } = question;
    if (sync && this.interrupted()) return this.wake(INTERRUPTED, '');
    if (!request) {
      const why = 'input: the front end that ran this cell must take questions, got one that does not';
      return this.answer({ id, ask, sync }, '', why);
    }
    const { identities, rawHeader } = request;
    const outgoing = { identities, parent: rawHeader };
    const sent = this.send('stdin', 'input_request', { prompt, password }, outgoing);
    this.open.set(sent, { id, ask, sync });
  }

  /** An input_reply: of the question it names as its parent, else of the oldest. */
  reply(message: JupyterMessage): void {
    if (message.header.msg_type !== 'input_reply') return;
    const named = String(message.parent.msg_id);
    const key = this.open.has(named) ? named : [...this.open.keys()][0];
    const question = this.open.get(key);
    if (!question) return;
    this.open.delete(key);
    const { value } = message.content;
    if (typeof value === 'string') this.answer(question, value);
    else this.answer(question, '', 'input: the answer must be text, got a reply without one');
  }

  /** Wakes a thread that sleeps for an answer: it is interrupted. Other questions end with their execution. */
  interrupt(): void {
    for (const [key, question] of this.open) {
      this.open.delete(key);
      if (question.sync) this.wake(INTERRUPTED, '');
    }
  }

  /** The execution ended; answers to its questions would reach nobody. */
  end(id: string): void {
    for (const [key, question] of this.open) if (question.id === id) this.open.delete(key);
  }

  private answer(question: Open, value: string, error?: string): void {
    const { ask, sync } = question;
    if (!sync) this.post({ type: 'input', ask, value, ...(error === undefined ? {} : { error }) });
    else if (error !== undefined) this.wake(REFUSED, error);
    else this.wake(ANSWERED, value);
  }

  private wake(state: number, text: string): void {
    let bytes = Buffer.from(text);
    if (bytes.length > this.bytes.length) {
      const most = this.bytes.length;
      const advice = 'ask with await input() instead, which has no limit';
      bytes = Buffer.from(
        `prompt: the answer must have at most ${most} bytes, got ${bytes.length}; ${advice}`,
      );
      state = REFUSED;
    }
    this.bytes.set(bytes);
    Atomics.store(this.state, 1, bytes.length);
    Atomics.store(this.state, 0, state);
    Atomics.notify(this.state, 0);
  }
}
