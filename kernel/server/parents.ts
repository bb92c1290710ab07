/** The request each output belongs to: its header is the output's parent header, also long after its end. */

/** Ended requests remembered for late outputs. */
const KEPT = 4096;

/** Raw headers of requests by msg_id; the oldest ended ones are forgotten. */
export class Parents {
  private readonly live = new Map<string, Buffer>();
  private readonly ended = new Map<string, Buffer>();

  constructor(private readonly kept = KEPT) {}

  begin(id: string, rawHeader: Buffer): void {
    this.live.set(id, rawHeader);
  }

  end(id: string): void {
    const header = this.live.get(id);
    if (!header) return;
    this.live.delete(id);
    // Headers are small slices of what may be a large message; the copy lets the message go.
    this.ended.set(id, Buffer.from(header));
    if (this.ended.size > this.kept)
      for (const oldest of this.ended.keys()) {
        this.ended.delete(oldest);
        break;
      }
  }

  /** Undefined when the request was never known or is long forgotten: the output then has no parent. */
  get(id: string | undefined): Buffer | undefined {
    return id === undefined ? undefined : (this.live.get(id) ?? this.ended.get(id));
  }

  isLive(id: string): boolean {
    return this.live.has(id);
  }
}
