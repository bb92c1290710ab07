/** State of a widget on the wire: JSON, with bytes taken out and sent beside it. */
import type { Buffers } from '../threads/messages.js';

export type State = Record<string, unknown>;
/** Where a buffer belongs: keys and indices from the state's root. */
export type BufferPath = (string | number)[];

export interface Packed {
  state: State;
  buffer_paths: BufferPath[];
  buffers: Buffers;
}

function bytesOf(value: unknown): Uint8Array | undefined {
  if (value instanceof ArrayBuffer) return new Uint8Array(value);
  if (ArrayBuffer.isView(value)) return new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
  return undefined;
}

function pack(value: unknown, path: BufferPath, packed: Packed): unknown {
  if (Array.isArray(value))
    return value.map((held: unknown, i) => {
      const bytes = bytesOf(held);
      if (!bytes) return pack(held, [...path, i], packed);
      packed.buffer_paths.push([...path, i]);
      packed.buffers.push(bytes);
      return null;
    });
  if (typeof value !== 'object' || value === null) return value;
  // Objects that know their JSON (dates) keep it; everything else is walked.
  if (typeof (value as { toJSON?: unknown }).toJSON === 'function') return value;
  const copy: State = {};
  for (const [key, held] of Object.entries(value)) {
    const bytes = bytesOf(held);
    if (bytes) {
      packed.buffer_paths.push([...path, key]);
      packed.buffers.push(bytes);
    } else copy[key] = pack(held, [...path, key], packed);
  }
  return copy;
}

/** Takes the bytes out of a state: out of an object the key goes, in an array null stays. The state is untouched. */
export function packState(state: State): Packed {
  const packed: Packed = { state: {}, buffer_paths: [], buffers: [] };
  packed.state = pack(state, [], packed) as State;
  return packed;
}

/** Puts the bytes that came beside a state back into it. */
export function unpackState(state: State, paths: readonly BufferPath[], buffers: Buffers): State {
  for (const [i, path] of paths.entries()) {
    let at: unknown = state;
    for (const key of path.slice(0, -1)) at = (at as Record<string | number, unknown> | undefined)?.[key];
    const last = path[path.length - 1];
    // A path that leads nowhere is a mistake of the page: its buffer is dropped, the rest stays readable.
    if (typeof at === 'object' && at !== null && last !== undefined && last !== '__proto__')
      (at as Record<string | number, unknown>)[last] = buffers[i];
  }
  return state;
}
