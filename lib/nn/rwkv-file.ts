/**
 * The model files of rwkv.cpp (`.bin`): six 32-bit integers, then parameters one after another until the end. Pure functions
 * on bytes. Source: rwkv.cpp, docs/FILE_FORMAT.md, versions 100 and 101, which are the same for FP32 and FP16.
 * Deviation: little-endian whatever the machine; quantised tensors are refused; FP16 is widened to f32, which is exact.
 * Shapes are row-major here: the file counts axes from the fastest.
 */
import { ArgumentError, DataError, show } from '../core/errors.js';
import { float16FromBits } from '../core/float16.js';
import { sizeOf } from '../core/shape.js';

/** One parameter of a file. */
export interface RwkvTensor {
  readonly shape: readonly number[];
  /** Element type in the file. */
  readonly stored: 'f32' | 'f16';
  readonly data: Float32Array;
}

/** A decoded file. */
export interface RwkvFile {
  readonly version: 100 | 101;
  readonly vocabulary: number;
  readonly width: number;
  readonly layers: number;
  /** Element type of the matrices; vectors are f32. */
  readonly stored: 'f32' | 'f16';
  readonly tensors: ReadonlyMap<string, RwkvTensor>;
}

const MAGIC = 0x67676d66;
const HEADER_BYTES = 24;
/** Number of axes, length of the name and element type of a parameter. */
const ENTRY_BYTES = 12;
const MOST_AXES = 4;
const MOST_NAME = 512;
/** Names of element types by their number in the file. */
const TYPES = ['FP32', 'FP16', 'Q4_0', 'Q4_1', 'Q4_1_O', 'Q4_2', 'Q4_3', 'Q5_0', 'Q5_1', 'Q8_0'];

function fail(condition: string, got: string): never {
  throw new DataError(`decodeRwkv: ${condition}, got ${got}`);
}

const hex = (value: number) => `0x${(value >>> 0).toString(16).padStart(8, '0')}`;

function checkMagic(view: DataView): void {
  const magic = view.getUint32(0, true);
  if (magic === MAGIC) return;
  const swapped = view.getUint32(0, false) === MAGIC;
  const text = String.fromCharCode(...new Uint8Array(view.buffer, view.byteOffset, 4));
  const advice = swapped
    ? '; the file is big-endian'
    : text === 'GGUF'
      ? '; this is a GGUF file, not one of rwkv.cpp'
      : text.startsWith('PK')
        ? '; this is a PyTorch archive: convert it with rwkv.cpp'
        : '';
  fail(`file must start with ${hex(MAGIC)}`, hex(magic) + advice);
}

/** Element type by its number; only the two exact ones are read. */
function storedType(what: string, code: number): 'f32' | 'f16' {
  if (code === 0) return 'f32';
  if (code === 1) return 'f16';
  const name = TYPES[code] ? ` (${TYPES[code]})` : '';
  return fail(`data type of ${what} must be 0 (FP32) or 1 (FP16)`, `${code}${name}`);
}

/**
 * Reads a file.
 * @throws DataError that names the parameter, for a wrong magic number, version, type, size, name or shape, for anything cut
 *   off, doubled or left over, and for layers that are not there; ArgumentError for anything but bytes
 */
export function decodeRwkv(bytes: Uint8Array): RwkvFile {
  if (!(bytes instanceof Uint8Array))
    throw new ArgumentError(`decodeRwkv: bytes must be a Uint8Array, got ${show(bytes)}`);
  if (bytes.length < HEADER_BYTES)
    fail(`file must hold a header of ${HEADER_BYTES} bytes`, `${bytes.length}`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  checkMagic(view);
  const [version, vocabulary, width, layers, type] = [4, 8, 12, 16, 20].map((at) => view.getInt32(at, true));
  if (version !== 100 && version !== 101) fail('version must be 100 or 101', `${version}`);
  for (const [name, value] of Object.entries({ n_vocab: vocabulary, n_embed: width, n_layer: layers }))
    if (value < 1) fail(`${name} must be positive`, `${value}`);
  const stored = storedType('the file', type);
  const tensors = new Map<string, RwkvTensor>();
  for (let at = HEADER_BYTES; at < bytes.length;) {
    const { name, tensor, end } = readParameter(bytes, view, at, tensors.size);
    if (tensors.has(name)) fail(`names must differ`, `${show(name)} twice`);
    tensors.set(name, tensor);
    at = end;
  }
  const file: RwkvFile = { version, vocabulary, width, layers, stored, tensors };
  checkWhole(file);
  return file;
}

function readParameter(bytes: Uint8Array, view: DataView, at: number, index: number) {
  const place = `parameter ${index} at byte ${at}`;
  const left = (from: number) => bytes.length - from;
  if (left(at) < ENTRY_BYTES)
    fail(`${place} must have ${ENTRY_BYTES} bytes before its shape`, `${left(at)}; the file is cut off`);
  const [axes, length] = [view.getInt32(at, true), view.getInt32(at + 4, true)];
  if (axes < 1 || axes > MOST_AXES) fail(`${place} must have 1 to ${MOST_AXES} axes`, `${axes}`);
  if (length < 1 || length > MOST_NAME)
    fail(`${place} must have a name of 1 to ${MOST_NAME} bytes`, `${length}`);
  const start = at + ENTRY_BYTES + 4 * axes;
  if (left(start) < length)
    fail(`${place} must have ${length} bytes of name`, `${Math.max(0, left(start))}; the file is cut off`);
  const name = decodeName(bytes.subarray(start, start + length), place);
  const stored = storedType(show(name), view.getInt32(at + 8, true));
  const fast = Array.from({ length: axes }, (_, i) => view.getInt32(at + ENTRY_BYTES + 4 * i, true));
  if (fast.some((n) => n < 1)) fail(`shape of ${show(name)} must be positive`, show(fast));
  const size = sizeOf(fast);
  const from = start + length;
  const end = from + size * (stored === 'f32' ? 4 : 2);
  if (end > bytes.length)
    fail(
      `data of ${show(name)} must have ${end - from} bytes for ${stored} ${show(fast)}`,
      `${left(from)}; the file is cut off`,
    );
  const data = readNumbers(view, from, size, stored);
  return { name, tensor: { shape: fast.reverse(), stored, data }, end };
}

const UTF8 = new TextDecoder('utf-8', { fatal: true });

function decodeName(bytes: Uint8Array, place: string): string {
  let name = '';
  try {
    name = UTF8.decode(bytes);
  } catch {
    fail(`name of ${place} must be UTF-8`, show(Array.from(bytes.slice(0, 16))));
  }
  if (!/^[\x21-\x7e]+$/.test(name)) fail(`name of ${place} must be printable without spaces`, show(name));
  return name;
}

/** Numbers need not be aligned in the file. */
function readNumbers(view: DataView, from: number, size: number, stored: 'f32' | 'f16'): Float32Array {
  const data = new Float32Array(size);
  if (stored === 'f32') for (let i = 0; i < size; i++) data[i] = view.getFloat32(from + 4 * i, true);
  else for (let i = 0; i < size; i++) data[i] = float16FromBits(view.getUint16(from + 2 * i, true));
  return data;
}

/** The header's sizes are those of the tensors, and there are as many layers as it says. */
function checkWhole({ vocabulary, width, layers, tensors }: RwkvFile): void {
  for (const name of ['emb.weight', 'head.weight']) {
    const found = tensors.get(name)?.shape;
    if (!found) fail(`file must hold ${name}`, `${tensors.size} other parameters`);
    if (found.length !== 2 || found[0] !== vocabulary || found[1] !== width)
      fail(`shape of ${name} must be [n_vocab, n_embed] = [${vocabulary},${width}]`, show([...found]));
  }
  const numbers = new Set<number>();
  for (const name of tensors.keys()) {
    const match = /^blocks\.(\d+)\./.exec(name);
    if (match) numbers.add(Number(match[1]));
  }
  for (let i = 0; i < layers; i++)
    if (!numbers.has(i))
      fail(`file must hold n_layer = ${layers} blocks`, `none of number ${i}; it is cut off`);
  if (numbers.size > layers)
    fail(
      `file must hold n_layer = ${layers} blocks`,
      `${numbers.size}, up to number ${[...numbers].reduce((a, b) => Math.max(a, b))}`,
    );
}
