/** Reads and checks the header of a safetensors file. */
import { DataError, show } from '../core/errors.js';
import { sizeOf } from '../core/shape.js';

/** One tensor's entry; offsets are bytes from the start of the data. */
export interface HeaderEntry {
  name: string;
  dtype: string;
  shape: number[];
  begin: number;
  end: number;
}

const BYTES: Record<string, number> = {
  F64: 8,
  F32: 4,
  F16: 2,
  BF16: 2,
  I64: 8,
  U64: 8,
  I32: 4,
  U32: 4,
  I16: 2,
  U16: 2,
  I8: 1,
  U8: 1,
  BOOL: 1,
};
/** The limit of the format's own reader: a longer header is an attack or not a header. */
const MAXIMUM_HEADER = 100_000_000;

function fail(condition: string, got: string): never {
  throw new DataError(
    `decodeSafetensors: ${condition}, got ${got}; the file is damaged or not a safetensors file`,
  );
}

/** The checked header. @throws DataError */
export function readHeader(bytes: Uint8Array): {
  entries: HeaderEntry[];
  metadata: Record<string, string>;
  dataStart: number;
} {
  if (bytes.length < 8) fail('file must hold at least 8 bytes', `${bytes.length}`);
  const prefix = new DataView(bytes.buffer, bytes.byteOffset, 8);
  const length = prefix.getUint32(0, true) + prefix.getUint32(4, true) * 2 ** 32;
  if (length > MAXIMUM_HEADER) fail(`header must be at most ${MAXIMUM_HEADER} bytes`, `${length}`);
  if (8 + length > bytes.length) fail(`file must hold a header of ${length} bytes`, `${bytes.length - 8}`);
  const text = decodeText(bytes.slice(8, 8 + length));
  const header = parse(text);
  const metadata = readMetadata(header.__metadata__);
  const entries = Object.entries(header)
    .filter(([name]) => name !== '__metadata__')
    .map(([name, value]) => readEntry(name, value));
  checkLayout(entries, bytes.length - 8 - length);
  return { entries, metadata, dataStart: 8 + length };
}

function decodeText(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return fail('header must be UTF-8', 'other bytes');
  }
}

function parse(text: string): Record<string, unknown> {
  let header: unknown;
  try {
    header = JSON.parse(text);
  } catch (error) {
    fail('header must be JSON', String(error));
  }
  if (typeof header !== 'object' || header === null || Array.isArray(header))
    fail('header must be an object', show(header));
  const seen = new Set<string>();
  for (const key of topLevelKeys(text)) {
    if (seen.has(key)) fail('tensor names must be unique', `${show(key)} twice`);
    seen.add(key);
  }
  return header as Record<string, unknown>;
}

/** Keys of the outermost object of valid JSON text, duplicates included (JSON.parse drops them). */
function topLevelKeys(text: string): string[] {
  const keys: string[] = [];
  let depth = 0;
  for (let i = 0; i < text.length; i++) {
    const c = text[i];
    if (c === '{' || c === '[') depth++;
    else if (c === '}' || c === ']') depth--;
    else if (c === '"') {
      const start = i;
      for (i++; text[i] !== '"'; i++) if (text[i] === '\\') i++;
      if (depth !== 1) continue;
      let after = i + 1;
      while (/\s/.test(text[after])) after++;
      if (text[after] === ':') keys.push(JSON.parse(text.slice(start, i + 1)) as string);
    }
  }
  return keys;
}

function readMetadata(value: unknown): Record<string, string> {
  if (value === undefined) return {};
  if (
    typeof value !== 'object' ||
    value === null ||
    !Object.values(value).every((v) => typeof v === 'string')
  )
    fail('__metadata__ must map names to strings', show(value));
  return value as Record<string, string>;
}

function readEntry(name: string, value: unknown): HeaderEntry {
  const { dtype, shape, data_offsets: offsets } = (value ?? {}) as Record<string, unknown>;
  if (typeof dtype !== 'string' || !(dtype in BYTES))
    fail(`dtype of ${show(name)} must be one of ${Object.keys(BYTES).join(', ')}`, show(dtype));
  const natural = (v: unknown): v is number => Number.isSafeInteger(v) && (v as number) >= 0;
  if (!Array.isArray(shape) || !shape.every(natural))
    fail(`shape of ${show(name)} must be non-negative integers`, show(shape));
  if (!Array.isArray(offsets) || offsets.length !== 2 || !offsets.every(natural) || offsets[0] > offsets[1])
    fail(`data_offsets of ${show(name)} must be two ordered integers`, show(offsets));
  const [begin, end] = offsets;
  const wanted = sizeOf(shape) * BYTES[dtype];
  if (end - begin !== wanted)
    fail(`data of ${show(name)} must have ${wanted} bytes for ${dtype} ${show(shape)}`, `${end - begin}`);
  return { name, dtype, shape, begin, end };
}

/** Tensors must tile the data without gaps or overlaps. */
function checkLayout(entries: HeaderEntry[], available: number): void {
  const ordered = [...entries].sort((a, b) => a.begin - b.begin || a.end - b.end);
  let at = 0;
  for (const { name, begin, end } of ordered) {
    if (begin < at)
      fail(`data of ${show(name)} must not overlap another tensor`, `a start at ${begin} before ${at}`);
    if (begin > at) fail(`data of ${show(name)} must start where the tensor before ends (${at})`, `${begin}`);
    if (end > available)
      fail(
        `data of ${show(name)} must end within the file (${available} bytes of data)`,
        `${end}; it is truncated`,
      );
    at = end;
  }
  if (at !== available) fail(`file must end with its last tensor (${at} bytes of data)`, `${available}`);
}
