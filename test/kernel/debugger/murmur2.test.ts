import { expect, test } from 'vitest';
import { murmur2 } from '../../../kernel/server/debugger/murmur2.js';

test('murmur2 hashes the UTF-8 bytes of a text, whatever the remainder of its length by four', () => {
  // Computed by an independent implementation.
  expect(murmur2('', 0x9747b28c)).toBe(275646681);
  expect(murmur2('a', 0x9747b28c)).toBe(2731586172);
  expect(murmur2('ab', 0x9747b28c)).toBe(316155434);
  expect(murmur2('abc', 0x9747b28c)).toBe(479470107);
  expect(murmur2('let x = 1;\nlet é = "😀";', 0x9747b28c)).toBe(2361446681);
});
