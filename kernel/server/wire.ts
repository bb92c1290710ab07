/**
 * Messages of the Jupyter protocol on the wire: identities, delimiter, signature, four JSON objects, buffers.
 * The signature is checked before any byte is parsed; whatever a peer sends, decode answers and never throws.
 */
import { createHmac, randomUUID, timingSafeEqual } from 'node:crypto';
import { jsonDepth } from './json-depth.js';

/** Version in every header; 5.5 has subshells. */
export const PROTOCOL_VERSION = '5.5';

const DELIMITER = Buffer.from('<IDS|MSG>');

export type JsonObject = Record<string, unknown>;

export interface Header extends JsonObject {
  readonly msg_id: string;
  readonly msg_type: string;
  readonly session?: string;
  readonly subshell_id?: string | null;
}

/** A message that passed every check. */
export interface JupyterMessage {
  readonly identities: Buffer[];
  readonly header: Header;
  /** The header's own bytes, echoed in replies as they came. */
  readonly rawHeader: Buffer;
  readonly parent: JsonObject;
  readonly metadata: JsonObject;
  readonly content: JsonObject;
  readonly buffers: Buffer[];
}

export type Decoded = { ok: true; message: JupyterMessage } | { ok: false; reason: string };

/** What one message may hold; beyond it the message is refused unread. */
export interface WireLimits {
  readonly identities: number;
  readonly frames: number;
  readonly headerBytes: number;
  readonly jsonBytes: number;
  readonly depth: number;
  readonly totalBytes: number;
  /** Signatures remembered to refuse a message that is sent again. */
  readonly signatures: number;
}

export const WIRE_LIMITS: WireLimits = {
  identities: 16,
  frames: 4096,
  headerBytes: 64 * 1024,
  jsonBytes: 64 * 1024 * 1024,
  depth: 256,
  totalBytes: 512 * 1024 * 1024,
  signatures: 65_536,
};

export interface Outgoing {
  readonly parent?: Buffer;
  readonly identities?: readonly Buffer[];
  readonly metadata?: JsonObject;
  readonly buffers?: readonly Uint8Array[];
  /** More fields of the header, such as subshell_id. */
  readonly header?: JsonObject;
}

const EMPTY_OBJECT = Buffer.from('{}');
const PARTS = ['header', 'parent header', 'metadata', 'content'] as const;

/** Encodes and decodes the messages of one session with one key. */
export class Wire {
  readonly session: string;
  private readonly hash: string;
  private readonly limits: WireLimits;
  private readonly seen = new Set<string>();
  private readonly text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
  private sent = 0;

  constructor(
    private readonly key: string,
    options: { scheme?: string; session?: string; username?: string; limits?: Partial<WireLimits> } = {},
  ) {
    this.session = options.session ?? randomUUID();
    this.hash = (options.scheme ?? 'hmac-sha256').replace(/^hmac-/, '');
    this.limits = { ...WIRE_LIMITS, ...options.limits };
  }

  /** The id the next message of this session gets is never used twice. */
  private header(type: string, more?: JsonObject): JsonObject {
    return {
      msg_id: `${this.session}_${++this.sent}`,
      msg_type: type,
      username: 'kernel',
      session: this.session,
      date: new Date().toISOString(),
      version: PROTOCOL_VERSION,
      ...more,
    };
  }

  encode(
    type: string,
    content: unknown,
    outgoing: Outgoing = {},
  ): { id: string; frames: (Buffer | Uint8Array)[] } {
    const header = this.header(type, outgoing.header);
    const parts = [
      Buffer.from(JSON.stringify(header)),
      outgoing.parent ?? EMPTY_OBJECT,
      outgoing.metadata ? Buffer.from(JSON.stringify(outgoing.metadata)) : EMPTY_OBJECT,
      Buffer.from(JSON.stringify(content)),
    ];
    const frames = [...(outgoing.identities ?? []), DELIMITER, Buffer.from(this.sign(parts)), ...parts];
    return { id: header.msg_id as string, frames: [...frames, ...(outgoing.buffers ?? [])] };
  }

  decode(frames: readonly Buffer[]): Decoded {
    try {
      return this.read(frames);
    } catch (error) {
      return refused(error instanceof Error ? error.message : String(error));
    }
  }

  private read(frames: readonly Buffer[]): Decoded {
    const limits = this.limits;
    if (frames.length > limits.frames) return refused(`${frames.length} frames, at most ${limits.frames}`);
    const at = frames.findIndex((frame, i) => i <= limits.identities && frame.equals(DELIMITER));
    if (at < 0) return refused('no delimiter');
    const parts = frames.slice(at + 2, at + 6);
    if (parts.length < 4) return refused('fewer than four parts');
    const size = this.oversize(frames, parts);
    if (size) return refused(size);
    const signed = this.verify(frames[at + 1], parts);
    if (signed) return refused(signed);
    const depth = parts.findIndex((part) => jsonDepth(part) > limits.depth);
    if (depth >= 0) return refused(`${PARTS[depth]} nested deeper than ${limits.depth}`);
    const [header, parent, metadata, content] = parts.map((part) => this.parse(part));
    if (typeof header.msg_id !== 'string' || typeof header.msg_type !== 'string')
      return refused('the header must name msg_id and msg_type');
    const rest = { parent, metadata, content, buffers: frames.slice(at + 6) };
    const identities = frames.slice(0, at);
    return { ok: true, message: { identities, header: header as Header, rawHeader: parts[0], ...rest } };
  }

  private oversize(frames: readonly Buffer[], parts: readonly Buffer[]): string | undefined {
    const total = frames.reduce((sum, frame) => sum + frame.length, 0);
    if (total > this.limits.totalBytes) return `${total} bytes, at most ${this.limits.totalBytes}`;
    const long = parts.findIndex(
      (part, i) => part.length > (i < 2 ? this.limits.headerBytes : this.limits.jsonBytes),
    );
    return long < 0 ? undefined : `${PARTS[long]} of ${parts[long].length} bytes is too long`;
  }

  /** Undefined when the signature is right and new. Without a key messages are not signed. */
  private verify(given: Buffer, parts: readonly Buffer[]): string | undefined {
    if (this.key === '') return undefined;
    const right = Buffer.from(this.sign(parts));
    if (given.length !== right.length || !timingSafeEqual(given, right)) return 'wrong signature';
    const signature = right.toString('latin1');
    if (this.seen.has(signature)) return 'the same message a second time';
    this.seen.add(signature);
    if (this.seen.size > this.limits.signatures)
      for (const oldest of this.seen) {
        this.seen.delete(oldest);
        break;
      }
    return undefined;
  }

  private sign(parts: readonly Uint8Array[]): string {
    if (this.key === '') return '';
    const hmac = createHmac(this.hash, this.key);
    for (const part of parts) hmac.update(part);
    return hmac.digest('hex');
  }

  private parse(part: Buffer): JsonObject {
    const value: unknown = JSON.parse(this.text.decode(part));
    if (typeof value !== 'object' || value === null || Array.isArray(value))
      throw new Error('every part must be a JSON object');
    return value as JsonObject;
  }
}

function refused(reason: string): Decoded {
  return { ok: false, reason };
}
