/** The five sockets of a kernel. Sending never waits for the caller; one `send` is in flight on each socket. */
import { Router, XPublisher } from 'zeromq';
import { address, type Channel, type Connection } from './connection.js';

type Frames = readonly (Buffer | Uint8Array)[];

/** One frame larger than this costs its sender the connection, before it costs the kernel memory. */
const MAX_FRAME_BYTES = 512 * 1024 * 1024;
/** Messages taken from one socket before the others and the timers have their turn. */
const TURN = 32;
const LINGER_MS = 1000;

/** Anything messages can be sent through and received from. */
interface Sender {
  send(frames: (Buffer | Uint8Array)[]): Promise<void>;
}
interface Receiver {
  readonly closed: boolean;
  receive(): Promise<Buffer[]>;
}

/** Sends messages in order, each after the one before was taken: two sends at once are an error in ZeroMQ. */
export class Writer {
  private queue: Frames[] = [];
  private running: Promise<void> | undefined;

  constructor(
    private readonly socket: Sender,
    private readonly failed: (error: unknown) => void,
  ) {}

  send(frames: Frames): void {
    this.queue.push(frames);
    this.running ??= this.run();
  }

  /** Resolves when everything handed over so far is with ZeroMQ. */
  async flushed(): Promise<void> {
    while (this.running) await this.running;
  }

  private async run(): Promise<void> {
    while (this.queue.length > 0) {
      const batch = this.queue;
      this.queue = [];
      for (const frames of batch)
        try {
          await this.socket.send([...frames]);
        } catch (error) {
          this.failed(error);
        }
    }
    this.running = undefined;
  }
}

/** Hands over every message of a socket until it is closed. Neither a bad message nor `take` ends it. */
export async function receiveAll(
  socket: Receiver,
  take: (frames: Buffer[]) => void,
  failed: (error: unknown) => void,
): Promise<void> {
  for (let count = 1; !socket.closed; count++) {
    try {
      take(await socket.receive());
    } catch (error) {
      if (socket.closed) return;
      failed(error);
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    // A waiting message is received without a turn of the event loop: a flood would starve everything else.
    if (count % TURN === 0) await new Promise((resolve) => setImmediate(resolve));
  }
}

export interface Handlers {
  /** A request on shell or control, or an answer on stdin. */
  message(channel: 'shell' | 'control' | 'stdin', frames: Buffer[]): void;
  /** A front end subscribed to iopub. */
  subscribed(topic: Buffer): void;
  failed(error: unknown): void;
}

/** The kernel's side of a connection. */
export class Sockets {
  private readonly routers: Record<'shell' | 'control' | 'stdin', Router>;
  private readonly heartbeat = new Router({ linger: 0 });
  private readonly publisher: XPublisher;
  private readonly writers: Record<'shell' | 'control' | 'stdin' | 'iopub', Writer>;

  constructor(private readonly handlers: Handlers) {
    const options = {
      linger: LINGER_MS,
      sendHighWaterMark: 0,
      receiveHighWaterMark: 0,
      maxMessageSize: MAX_FRAME_BYTES,
    };
    // A front end that connects again under its old name takes over from its dead connection.
    const router = () => new Router({ ...options, handover: true });
    this.routers = { shell: router(), control: router(), stdin: router() };
    this.publisher = new XPublisher({ ...options, verbosity: 'allSubs' });
    const writer = (socket: Sender) => new Writer(socket, (error) => this.handlers.failed(error));
    this.writers = {
      shell: writer(this.routers.shell),
      control: writer(this.routers.control),
      stdin: writer(this.routers.stdin),
      iopub: writer(this.publisher),
    };
  }

  /** Listens on every channel; messages arrive from then on. */
  async bind(connection: Connection): Promise<void> {
    const bind = async (socket: Router | XPublisher, channel: Channel) => {
      if (connection.ip.includes(':')) socket.ipv6 = true;
      await socket.bind(address(connection, channel));
    };
    await Promise.all([
      bind(this.publisher, 'iopub'),
      bind(this.routers.stdin, 'stdin'),
      bind(this.heartbeat, 'hb'),
      bind(this.routers.control, 'control'),
      bind(this.routers.shell, 'shell'),
    ]);
    this.listen();
  }

  send(channel: 'shell' | 'control' | 'stdin' | 'iopub', frames: Frames): void {
    this.writers[channel].send(frames);
  }

  /** Resolves when everything sent so far is with ZeroMQ. */
  async flushed(): Promise<void> {
    await Promise.all(Object.values(this.writers).map((writer) => writer.flushed()));
  }

  close(): void {
    for (const socket of [...Object.values(this.routers), this.publisher, this.heartbeat]) socket.close();
  }

  private listen(): void {
    const listen = (socket: Receiver, take: (frames: Buffer[]) => void) => {
      void receiveAll(socket, take, (error) => this.handlers.failed(error));
    };
    for (const channel of ['shell', 'control', 'stdin'] as const)
      listen(this.routers[channel], (frames) => this.handlers.message(channel, frames));
    const echo = new Writer(this.heartbeat, (error) => this.handlers.failed(error));
    listen(this.heartbeat, (frames) => echo.send(frames));
    listen(this.publisher, ([frame]) => {
      if (frame?.[0] === 1) this.handlers.subscribed(frame.subarray(1));
    });
  }
}
