/** `Symbol.for("Jupyter.display")`: a value that says itself what it looks like, as in Deno. */
import type { Metadata, MimeBundle } from '../threads/messages.js';
import { jsonable } from './json.js';
import { errorLine, peek } from './safe.js';

const DISPLAY = Symbol.for('Jupyter.display');

type Hook = () => unknown;

/** The hook of a value. A proxy that answers every name has it only if it says so when asked. */
export function displayHook(value: unknown): Hook | undefined {
  try {
    if (!(DISPLAY in (value as object))) return undefined;
  } catch {
    return undefined;
  }
  const hook = peek(value, DISPLAY);
  return typeof hook === 'function' ? (hook as Hook) : undefined;
}

function isJsonMime(mime: string): boolean {
  return /^application\/(.*\+)?json$/.test(mime);
}

/** One entry as a message can carry it: bytes as base64, JSON as plain data, everything else as text. */
function entry(mime: string, value: unknown): unknown {
  if (value === undefined) return undefined;
  if (isJsonMime(mime)) return jsonable(value);
  if (typeof value === 'string') return value;
  if (value instanceof ArrayBuffer) return Buffer.from(value).toString('base64');
  if (ArrayBuffer.isView(value))
    return Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('base64');
  if (Array.isArray(value) && value.every((line) => typeof line === 'string')) return value.join('');
  return jsonable(value);
}

/** A bundle as the protocol wants it. @throws TypeError when there is no MIME type in it */
export function checkBundle(bundle: unknown, where: string): MimeBundle {
  if (typeof bundle !== 'object' || bundle === null || Array.isArray(bundle))
    throw new TypeError(
      `${where}: result must be an object of MIME types, got ${bundle === null ? 'null' : typeof bundle}`,
    );
  const data: MimeBundle = {};
  for (const [mime, value] of Object.entries(bundle)) {
    if (!/^[\w.+-]+\/[\w.+;= -]+$/.test(mime))
      throw new TypeError(
        `${where}: keys must be MIME types such as "text/html", got ${JSON.stringify(mime)}`,
      );
    const made = entry(mime, value);
    if (made !== undefined) data[mime] = made;
  }
  if (Object.keys(data).length === 0)
    throw new TypeError(`${where}: result must have at least one MIME type, got none`);
  return data;
}

/** What the hook shows, awaited. `{data, metadata}` is taken as well as the bundle alone. */
export async function runHook(value: unknown, hook: Hook): Promise<{ data: MimeBundle; metadata: Metadata }> {
  const where = 'Symbol.for("Jupyter.display")';
  const made = await hook.call(value);
  const data = peek(made, 'data');
  if (typeof data === 'object' && data !== null) {
    const metadata = jsonable(peek(made, 'metadata') ?? {});
    return { data: checkBundle(data, where), metadata: metadata as Metadata };
  }
  return { data: checkBundle(made, where), metadata: {} };
}

/** Said below the plain text of a value whose hook failed. */
export function hookNote(failure: unknown): string {
  return `(its Symbol.for("Jupyter.display") failed: ${errorLine(failure)})`;
}
