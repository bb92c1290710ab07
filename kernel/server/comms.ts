/** Comms between front ends and cells: the server knows which are open, the user thread holds their handlers. */
import type { CommMessage, ToUser } from '../threads/messages.js';
import { BadRequest, textOf } from './content.js';
import type { Outputs } from './outputs.js';
import type { Parents } from './parents.js';
import type { JsonObject, JupyterMessage } from './wire.js';

export interface CommParts {
  readonly outputs: Outputs;
  readonly parents: Parents;
  readonly post: (message: ToUser, transfer?: ArrayBuffer[]) => void;
}

/** Routes comm messages both ways. */
export class Comms {
  private readonly targets = new Map<string, string>();
  private readonly handling = new Set<string>();

  constructor(private readonly parts: CommParts) {}

  isOpen(commId: unknown): boolean {
    return typeof commId === 'string' && this.targets.has(commId);
  }

  /** Content of comm_info_reply. */
  info(target: string | undefined): JsonObject {
    const comms: JsonObject = {};
    for (const [id, name] of this.targets)
      if (target === undefined || target === name) comms[id] = { target_name: name };
    return { status: 'ok', comms };
  }

  /** A comm message of a front end; its status goes idle when the handler in the user thread is done. */
  fromFrontEnd(message: JupyterMessage): void {
    const { header, rawHeader } = message;
    this.parts.parents.begin(header.msg_id, rawHeader);
    this.parts.outputs.busy(header.msg_id, false);
    try {
      const comm = this.read(message);
      if (!comm) return this.end(header.msg_id);
      this.handling.add(header.msg_id);
      const transfer = (comm.buffers ?? []).map((buffer) => buffer.buffer as ArrayBuffer);
      this.parts.post(comm, transfer);
    } catch (error) {
      if (!(error instanceof BadRequest)) throw error;
      this.parts.outputs.stream(header.msg_id, 'stderr', `${header.msg_type}: ${error.message}\n`);
      this.end(header.msg_id);
    }
  }

  /** The user thread handled a comm message. */
  done(id: string): void {
    if (this.handling.delete(id)) this.end(id);
  }

  private end(id: string): void {
    this.parts.outputs.idle(id);
    this.parts.parents.end(id);
  }

  fromUser(comm: CommMessage): void {
    const content: JsonObject = { comm_id: comm.commId, data: comm.data ?? {} };
    if (comm.kind === 'open') {
      content.target_name = comm.targetName ?? '';
      this.targets.set(comm.commId, comm.targetName ?? '');
    }
    if (comm.kind === 'close') this.targets.delete(comm.commId);
    const { metadata, buffers } = comm;
    this.parts.outputs.publish(`comm_${comm.kind}`, content, comm.id, { metadata, buffers });
  }

  /** Undefined for a message to a comm that is not open: there is nobody to hand it to. */
  private read({ header, content, metadata, buffers }: JupyterMessage): CommMessage | undefined {
    const kind = header.msg_type.slice('comm_'.length) as CommMessage['kind'];
    const commId = textOf(content, 'comm_id');
    const targetName = kind === 'open' ? textOf(content, 'target_name') : undefined;
    if (targetName === undefined && !this.targets.has(commId)) return undefined;
    if (targetName !== undefined) this.targets.set(commId, targetName);
    if (kind === 'close') this.targets.delete(commId);
    return {
      type: 'comm',
      kind,
      id: header.msg_id,
      commId,
      ...(targetName === undefined ? {} : { targetName }),
      data: content.data ?? {},
      metadata,
      // Copies of their own: ZeroMQ's memory cannot be handed to another thread.
      buffers: buffers.map((buffer) => new Uint8Array(buffer)),
    };
  }
}
