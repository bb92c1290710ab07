import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { jsonDepth } from '../../../kernel/server/json-depth.js';
import { Wire, type JsonObject } from '../../../kernel/server/wire.js';

const KEY = 'a key';
const CASES = Number(process.env.ASSAY_FUZZ ?? 500);

function bytes(frames: readonly (Buffer | Uint8Array)[]): Buffer[] {
  return frames.map((frame) => Buffer.from(frame));
}

/** Frames signed as they should be, with any bytes in place of the four parts. */
function signed(parts: readonly (string | Buffer)[], key = KEY): Buffer[] {
  const body = parts.map((part) => Buffer.from(part as string));
  const hmac = new Wire(key) as unknown as { sign(parts: Buffer[]): string };
  return [Buffer.from('<IDS|MSG>'), Buffer.from(hmac.sign(body)), ...body];
}

const HEADER = JSON.stringify({ msg_id: '1', msg_type: 'x', session: 's' });

describe('messages on the wire', () => {
  test('what is encoded is decoded: identities, header, metadata, content and buffers', () => {
    const sender = new Wire(KEY);
    const identities = [Buffer.from([1, 0, 255]), Buffer.from('b')];
    const buffers = [new Uint8Array([1, 2]), new Uint8Array(0)];
    const parent = Buffer.from('{"msg_id":"p"}');
    const { id, frames } = sender.encode(
      'execute_request',
      { code: 'π 😀' },
      { identities, buffers, parent, metadata: { a: 1 }, header: { subshell_id: 'sub' } },
    );
    const decoded = new Wire(KEY).decode(bytes(frames));
    if (!decoded.ok) throw new Error(decoded.reason);
    const { message } = decoded;
    expect(message.header).toMatchObject({ msg_id: id, msg_type: 'execute_request', subshell_id: 'sub' });
    expect(message.identities).toEqual(identities);
    expect(message.buffers.map((buffer) => [...buffer])).toEqual([[1, 2], []]);
    expect([message.parent, message.metadata, message.content]).toEqual([
      { msg_id: 'p' },
      { a: 1 },
      { code: 'π 😀' },
    ]);
  });

  test('the header comes back byte for byte, so that replies echo it as it was', () => {
    const header = '{ "msg_type":"x",\n"msg_id" : "1", "n": 1.0 }';
    const decoded = new Wire(KEY).decode(signed([header, '{}', '{}', '{}']));
    expect(decoded.ok && decoded.message.rawHeader.toString()).toBe(header);
  });

  test('a wrong, missing, longer or shorter signature is refused before anything is parsed', () => {
    const broken = signed(['{not json', '{}', '{}', '{}']);
    const right = broken[1].toString();
    for (const signature of ['', 'f'.repeat(64), right.slice(1), `${right}0`, right.toUpperCase() + ' ']) {
      const decoded = new Wire(KEY).decode([broken[0], Buffer.from(signature), ...broken.slice(2)]);
      expect(decoded).toEqual({ ok: false, reason: 'wrong signature' });
    }
    expect(new Wire('another key').decode(broken)).toEqual({ ok: false, reason: 'wrong signature' });
  });

  test('a message is taken once; the same signature again is refused, within a bounded memory', () => {
    const wire = new Wire(KEY, { limits: { signatures: 2 } });
    const message = (id: string) => signed([JSON.stringify({ msg_id: id, msg_type: 'x' }), '{}', '{}', '{}']);
    expect(wire.decode(message('a')).ok).toBe(true);
    expect(wire.decode(message('a'))).toMatchObject({
      ok: false,
      reason: expect.stringContaining('second') as string,
    });
    for (const id of ['b', 'c', 'd']) expect(wire.decode(message(id)).ok).toBe(true);
    expect(wire.decode(message('c')).ok).toBe(false);
    expect(wire.decode(message('a')).ok).toBe(true);
  });

  test('with an empty key messages are unsigned and not checked', () => {
    const wire = new Wire('');
    const { frames } = wire.encode('status', {});
    expect(frames[1]).toHaveLength(0);
    expect(wire.decode(bytes(frames)).ok).toBe(true);
    expect(wire.decode(bytes(frames)).ok).toBe(true);
  });

  test('another hash may be named by the signature scheme', () => {
    const wire = new Wire(KEY, { scheme: 'hmac-sha512' });
    const { frames } = wire.encode('status', {});
    expect(frames[1]).toHaveLength(128);
    expect(new Wire(KEY, { scheme: 'hmac-sha512' }).decode(bytes(frames)).ok).toBe(true);
  });

  test.each([
    ['no frames', []],
    ['no delimiter', [Buffer.from('x'), Buffer.from('{}')]],
    ['too few parts', signed([HEADER, '{}', '{}'])],
    ['a list as content', signed([HEADER, '{}', '{}', '[]'])],
    ['null as metadata', signed([HEADER, '{}', 'null', '{}'])],
    ['a number as header', signed(['5', '{}', '{}', '{}'])],
    ['a header without msg_id', signed(['{"msg_type":"x"}', '{}', '{}', '{}'])],
    ['a number as msg_type', signed(['{"msg_id":"1","msg_type":3}', '{}', '{}', '{}'])],
    ['bytes that are no UTF-8', signed([HEADER, '{}', '{}', Buffer.from([0x7b, 0xff, 0xfe, 0x7d])])],
    ['text that is no JSON', signed([HEADER, '{}', '{}', '{"a":'])],
    ['JSON nested a million deep', signed([HEADER, '{}', '{}', `{"a":${'['.repeat(1e6)}`])],
    ['a header of 70 kB', signed([`{"a":"${'x'.repeat(70_000)}"}`, '{}', '{}', '{}'])],
    [
      'thousands of frames',
      [...signed([HEADER, '{}', '{}', '{}']), ...Array<Buffer>(5000).fill(Buffer.alloc(0))],
    ],
    [
      'hundreds of identities',
      [...Array<Buffer>(300).fill(Buffer.from('i')), ...signed([HEADER, '{}', '{}', '{}'])],
    ],
  ])('%s is refused with a reason', (_, frames) => {
    const decoded = new Wire(KEY).decode(frames);
    expect(decoded.ok).toBe(false);
    expect(!decoded.ok && decoded.reason.length).toBeGreaterThan(5);
  });

  test('a message over the limit of bytes is refused before its signature is computed', () => {
    const wire = new Wire(KEY, { limits: { totalBytes: 1000, jsonBytes: 500 } });
    const long = `{"code":"${'x'.repeat(600)}"}`;
    expect(wire.decode(signed([HEADER, '{}', '{}', long]))).toMatchObject({
      ok: false,
      reason: expect.stringContaining('content') as string,
    });
    const decoded = wire.decode([...signed([HEADER, '{}', '{}', '{}']), Buffer.alloc(2000)]);
    expect(decoded).toMatchObject({ ok: false, reason: expect.stringContaining('at most 1000') as string });
  });

  test(`${CASES} messages of random bytes, frames and JSON never make decode throw`, () => {
    const frame = fc.oneof(
      fc.uint8Array({ maxLength: 40 }).map((array) => Buffer.from(array)),
      fc.json().map((text) => Buffer.from(text)),
      fc.constant(Buffer.from('<IDS|MSG>')),
    );
    fc.assert(
      fc.property(
        fc.array(frame, { maxLength: 12 }),
        fc.boolean(),
        fc.boolean(),
        (frames, sign, unsignedKey) => {
          const key = unsignedKey ? '' : KEY;
          const whole = sign ? signed([...frames, '{}', '{}', '{}', '{}'].slice(0, 4), key) : frames;
          const decoded = new Wire(key).decode(whole);
          expect(typeof decoded.ok).toBe('boolean');
        },
      ),
      { numRuns: CASES, seed: 4 },
    );
  });
});

describe('nesting of JSON text', () => {
  test('counts brackets and braces outside strings', () => {
    const depth = (text: string) => jsonDepth(Buffer.from(text));
    expect(depth('1')).toBe(0);
    expect(depth('{"a":[{}],"b":{}}')).toBe(3);
    expect(depth('{"a":"[[[[{{{{"}')).toBe(1);
    expect(depth('{"a":"\\"[[[["}')).toBe(1);
    expect(depth('{"a\\\\":[["x\\\\"]]}')).toBe(3);
    expect(depth('"unfinished [[[')).toBe(0);
  });

  test('agrees with the value that JSON.parse makes', () => {
    const deep = (value: unknown): number =>
      typeof value === 'object' && value !== null
        ? 1 + Math.max(0, ...Object.values(value as JsonObject).map(deep))
        : 0;
    fc.assert(
      fc.property(fc.json(), (text) => {
        expect(jsonDepth(Buffer.from(text))).toBe(deep(JSON.parse(text)));
      }),
      { seed: 5 },
    );
  });

  test('megabytes of text with quotes and backslashes take no time worth naming', () => {
    expect(jsonDepth(Buffer.from(JSON.stringify({ a: '\\"'.repeat(1e6) })))).toBe(1);
    expect(jsonDepth(randomBytes(1e6))).toBeGreaterThanOrEqual(0);
  });
});
