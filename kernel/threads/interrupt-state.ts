/**
 * The memory the threads share to interrupt a cell. The server raises `stop` and, when nobody acknowledges, has the
 * user thread itself decide whether its running code may be terminated: never inside a native call, which would end
 * the process (V8 terminating inside N-API is fatal). The fourth cell is the handshake of that decision.
 */
export class InterruptState {
  readonly cells: Int32Array;

  constructor(readonly buffer: SharedArrayBuffer = new SharedArrayBuffer(16)) {
    this.cells = new Int32Array(buffer);
  }

  /** Not 0 while some execution shall stop: loop guards then ask whose. */
  get stop(): number {
    return Atomics.load(this.cells, 0);
  }
  set stop(value: number) {
    Atomics.store(this.cells, 0, value);
  }

  /** Depth of calls into native code that must not be terminated. */
  get native(): number {
    return Atomics.load(this.cells, 1);
  }
  enterNative(): void {
    Atomics.add(this.cells, 1, 1);
  }
  leaveNative(): void {
    Atomics.sub(this.cells, 1, 1);
  }

  /** The last interrupt the user thread's event loop has seen: its JavaScript is not stuck in a loop. */
  get ack(): number {
    return Atomics.load(this.cells, 2);
  }
  set ack(epoch: number) {
    Atomics.store(this.cells, 2, epoch);
  }
}

/**
 * Memory for one synchronous `prompt`: state (0 waiting, 1 answered, 2 interrupted, 3 refused: the text says why),
 * bytes, then UTF-8 text.
 */
export const INPUT_BYTES = 64 * 1024;
