/** The wire to the user thread's inspector. It works from the server's worker while that thread is paused or busy. */
import { Session } from 'node:inspector';

/** Milliseconds within which the user thread must answer; longer only while it is inside one native call. */
const PATIENCE = 5000;

type Handler = (params: never) => void;

/** Requests and events of the inspector protocol. Connects itself with the first request. */
export class Link {
  private session: Session | undefined;
  private readonly handlers = new Map<string, Handler>();

  get connected(): boolean {
    return this.session !== undefined;
  }

  /** One handler for each event; kept over reconnections. */
  on<Params>(event: string, handler: (params: Params) => void): void {
    this.handlers.set(event, handler);
    this.session?.on(event, (message: { params: Params }) => handler(message.params));
  }

  connect(): Session {
    if (this.session) return this.session;
    const session = new Session();
    session.connectToMainThread();
    for (const [event, handler] of this.handlers)
      session.on(event, (message: { params: never }) => handler(message.params));
    this.session = session;
    return session;
  }

  post<Result = unknown>(method: string, params: object = {}, patience = PATIENCE): Promise<Result> {
    const session = this.connect();
    return new Promise((resolve, reject) => {
      const late = setTimeout(() => {
        reject(
          new Error(
            `${method}: the notebook's thread must answer within ${patience / 1000} s, got nothing; ` +
              'it is inside a native call or asleep, try again when it returns',
          ),
        );
      }, patience);
      session.post(method, params, (error: Error | null, result?: object) => {
        clearTimeout(late);
        if (error) reject(new Error(error.message));
        else resolve(result as Result);
      });
    });
  }

  /** Ends the connection; the user thread goes on if it was paused. A process with an open one cannot exit. */
  disconnect(): void {
    this.session?.disconnect();
    this.session = undefined;
  }
}
