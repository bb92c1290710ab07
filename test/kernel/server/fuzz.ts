/** Messages nobody should send: broken frames, broken JSON, wrong types, wrong signatures, the same ones again. */
import fc from 'fast-check';
import { Wire } from '../../../kernel/server/wire.js';
import type { RequestChannel } from '../../../kernel/run/kernel-client.js';

/** Cases of one fuzz run; ASSAY_FUZZ asks for more. */
export const FUZZ_CASES = Number(process.env.ASSAY_FUZZ ?? 500);

export interface FuzzCase {
  readonly channel: RequestChannel;
  readonly frames: Buffer[];
}

/** All request types but shutdown_request, which does what it says. */
const TYPES = [
  'execute_request',
  'complete_request',
  'inspect_request',
  'is_complete_request',
  'history_request',
  'comm_info_request',
  'kernel_info_request',
  'connect_request',
  'comm_open',
  'comm_msg',
  'comm_close',
  'input_reply',
  'interrupt_request',
  'debug_request',
  'create_subshell_request',
  'delete_subshell_request',
  'list_subshell_request',
  'execute_reply',
  'status',
  '',
];
const FIELDS = [
  'code',
  'silent',
  'store_history',
  'user_expressions',
  'stop_on_error',
  'allow_stdin',
  'cursor_pos',
  'detail_level',
  'hist_access_type',
  'pattern',
  'n',
  'session',
  'start',
  'stop',
  'comm_id',
  'target_name',
  'data',
  'value',
  'subshell_id',
  'command',
  'type',
  'arguments',
  'seq',
];

const channel = fc.constantFrom<RequestChannel>('shell', 'control', 'stdin');
const anything = fc.oneof(fc.jsonValue(), fc.constantFrom('tail', 'range', 'search', '__proto__', '\ud800'));
const content = fc.dictionary(fc.constantFrom(...FIELDS), anything, { maxKeys: 8 });
const bytes = fc.uint8Array({ maxLength: 64 }).map((array) => Buffer.from(array));

/** `count` cases for the kernel with this key, always the same for the same seed. */
export function fuzzCases(key: string, count = FUZZ_CASES, seed = 1): FuzzCase[] {
  const wire = new Wire(key);
  const real = (type: string, body: object, header: object, buffers: Buffer[]) =>
    wire.encode(type, body, { header: { ...header }, buffers }).frames.map((frame) => Buffer.from(frame));
  const header = fc.dictionary(
    fc.constantFrom('subshell_id', 'version', 'date', 'session', 'username'),
    anything,
  );
  const wellSigned = fc
    .tuple(fc.constantFrom(...TYPES), content, header, fc.array(bytes, { maxLength: 3 }))
    .map((parts) => real(...parts));
  const sign = (wire as unknown as { sign(parts: Buffer[]): string }).sign.bind(wire);
  const signedBytes = fc
    .array(
      fc.oneof(
        bytes,
        fc.json().map((text) => Buffer.from(text)),
      ),
      { minLength: 4, maxLength: 4 },
    )
    .map((parts) => [Buffer.from('<IDS|MSG>'), Buffer.from(sign(parts)), ...parts]);
  const wrongKey = content.map((body) => {
    const { frames } = new Wire(`${key}x`).encode('execute_request', body);
    return frames.map((frame) => Buffer.from(frame));
  });
  const deep = fc.nat(5000).map((depth) => {
    const parts = [
      '{"msg_id":"d","msg_type":"comm_msg"}',
      '{}',
      '{}',
      `{"data":${'['.repeat(depth)}${']'.repeat(depth)}}`,
    ];
    const body = parts.map((part) => Buffer.from(part));
    return [Buffer.from('<IDS|MSG>'), Buffer.from(sign(body)), ...body];
  });
  const frames = fc.oneof(
    { weight: 6, arbitrary: wellSigned },
    { weight: 2, arbitrary: signedBytes },
    { weight: 1, arbitrary: fc.array(bytes, { minLength: 1, maxLength: 9 }) },
    { weight: 1, arbitrary: wrongKey },
    { weight: 1, arbitrary: deep },
    // Cut off somewhere.
    { weight: 1, arbitrary: fc.tuple(wellSigned, fc.nat(5)).map(([whole, at]) => whole.slice(0, at + 1)) },
  );
  const cases = fc.sample(fc.record({ channel, frames }), { numRuns: count, seed });
  // Every tenth message is sent a second time.
  return cases.flatMap((one, i) => (i % 10 === 0 ? [one, one] : [one]));
}
