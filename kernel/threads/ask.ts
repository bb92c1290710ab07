/** Questions and answers over a message port: every question gets a number, every answer names it. */
import type { MessagePort } from 'node:worker_threads';

interface Question {
  readonly ask: number;
  readonly question: unknown;
}
interface Answer {
  readonly ask: number;
  readonly answer?: unknown;
  readonly error?: string;
}

/** The asking side. A refused question rejects with the other side's message. */
export class Asker<Request extends { type: string }, Answers> {
  private readonly open = new Map<number, { resolve(value: unknown): void; reject(error: Error): void }>();
  private next = 1;

  constructor(private readonly port: MessagePort) {
    port.on('message', ({ ask, answer, error }: Answer) => {
      const waiting = this.open.get(ask);
      this.open.delete(ask);
      if (error === undefined) waiting?.resolve(answer);
      else waiting?.reject(new Error(error));
    });
    port.on('close', () => {
      for (const waiting of this.open.values()) waiting.reject(new Error('the other thread ended'));
      this.open.clear();
    });
  }

  ask<R extends Request>(question: R): Promise<Answers[R['type'] & keyof Answers]> {
    const ask = this.next++;
    return new Promise((resolve, reject) => {
      this.open.set(ask, { resolve, reject });
      this.port.postMessage({ ask, question } satisfies Question);
    });
  }
}

/** The answering side: one handler for every type of question, answers in the order they are ready. */
export function answer(port: MessagePort, handle: (question: never) => unknown): void {
  port.on('message', ({ ask, question }: Question) => {
    void (async () => {
      try {
        port.postMessage({ ask, answer: await handle(question as never) } satisfies Answer);
      } catch (error) {
        const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
        port.postMessage({ ask, error: text } satisfies Answer);
      }
    })();
  });
}
