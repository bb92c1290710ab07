/** The front end's side of a connection: four sockets, messages in and out. */
import { Dealer, Request, Subscriber } from 'zeromq';
import { address, type Connection } from '../server/connection.js';
import { receiveAll, Writer } from '../server/sockets.js';
import { Wire, type JsonObject, type JupyterMessage, type Outgoing } from '../server/wire.js';

export type RequestChannel = 'shell' | 'control' | 'stdin';

const OPTIONS = { linger: 0, receiveHighWaterMark: 0 };
/** A kernel needs some milliseconds to listen; ZeroMQ's own 100 ms would be felt in every start. */
const RECONNECT_MS = 10;

/** Connects at once, also before the kernel listens. */
export class ClientSockets {
  private readonly wire: Wire;
  private readonly dealers: Record<RequestChannel, Dealer>;
  private readonly writers: Record<RequestChannel, Writer>;
  private readonly iopub = new Subscriber({ ...OPTIONS, reconnectInterval: RECONNECT_MS });

  constructor(
    private readonly connection: Connection,
    private readonly take: (channel: 'iopub' | RequestChannel, message: JupyterMessage) => void,
  ) {
    this.wire = new Wire(connection.key, { scheme: connection.signature_scheme });
    const dealer = () =>
      new Dealer({
        ...OPTIONS,
        sendHighWaterMark: 0,
        routingId: this.wire.session,
        reconnectInterval: RECONNECT_MS,
      });
    this.dealers = { shell: dealer(), control: dealer(), stdin: dealer() };
    const writer = (channel: RequestChannel) => new Writer(this.dealers[channel], () => {});
    this.writers = { shell: writer('shell'), control: writer('control'), stdin: writer('stdin') };
    this.iopub.subscribe('');
    this.listen('iopub', this.iopub);
    for (const channel of ['shell', 'control', 'stdin'] as const) this.listen(channel, this.dealers[channel]);
  }

  send(channel: RequestChannel, type: string, content: JsonObject, outgoing: Outgoing = {}): string {
    const { id, frames } = this.wire.encode(type, content, outgoing);
    this.writers[channel].send(frames);
    return id;
  }

  sendRaw(channel: RequestChannel, frames: (Buffer | Uint8Array)[]): void {
    this.writers[channel].send(frames);
  }

  async heartbeat(timeoutMs: number): Promise<boolean> {
    const socket = new Request({ linger: 0, receiveTimeout: timeoutMs, sendTimeout: timeoutMs });
    try {
      socket.connect(address(this.connection, 'hb'));
      await socket.send('ping');
      const [answer] = await socket.receive();
      return answer.toString() === 'ping';
    } catch {
      return false;
    } finally {
      socket.close();
    }
  }

  close(): void {
    for (const socket of [...Object.values(this.dealers), this.iopub]) socket.close();
  }

  private listen(channel: 'iopub' | RequestChannel, socket: Dealer | Subscriber): void {
    socket.connect(address(this.connection, channel));
    const take = (frames: Buffer[]) => {
      const decoded = this.wire.decode(frames);
      if (decoded.ok) this.take(channel, decoded.message);
    };
    void receiveAll(socket, take, () => {});
  }
}
