import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ArgumentError, DataError } from '../../lib/core/errors.js';
import { Random } from '../../lib/core/random.js';
import { bitsPerByte, ByteDataset, generatedText, openTrainingText } from '../../lib/tasks/text.js';
import { temporaryFolder } from './temporary.js';

const bytes = Uint8Array.from({ length: 1000 }, (_, i) => (i * 7 + (i >> 4)) & 0xff);
const dataset = new ByteDataset('test', bytes);

describe('ByteDataset', () => {
  it('splits contiguously', () => {
    expect(dataset.split).toBe(900);
    expect(dataset.train).toEqual(bytes.subarray(0, 900));
    expect(dataset.validation).toEqual(bytes.subarray(900));
    expect(new ByteDataset('x', bytes, 0.5).split).toBe(500);
  });

  it('draws batches from the training part only, targets one byte later, the same for the same stream', () => {
    const batch = dataset.batch(new Random(1), 8, 31);
    expect(batch.inputs.length).toBe(8 * 31);
    for (let b = 0; b < 8; b++) {
      const inputs = batch.inputs.subarray(b * 31, (b + 1) * 31);
      const start = bytes.findIndex((_, i) => inputs.every((value, j) => bytes[i + j] === value));
      expect(start).toBeGreaterThanOrEqual(0);
      expect(Array.from(batch.targets.subarray(b * 31, (b + 1) * 31))).toEqual(
        Array.from(bytes.subarray(start + 1, start + 32)),
      );
    }
    expect(dataset.batch(new Random(1), 8, 31)).toEqual(batch);
    const marked = new ByteDataset(
      'marked',
      Uint8Array.from(bytes, (_, i) => (i < 900 ? 1 : 2)),
    );
    const random = new Random(2);
    for (let i = 0; i < 50; i++)
      expect(marked.batch(random, 4, 800).targets.every((v) => v === 1)).toBe(true);
    expect(dataset.batch(random, 1, 899).targets[898]).toBe(bytes[899]);
  });

  it('covers every validation byte once, in order, whatever T and limit', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 100 }), fc.integer({ min: 1, max: 120 }), (T, limit) => {
        fc.pre(T <= Math.min(limit, 100));
        const scored: number[] = [];
        for (const { inputs, targets, skip } of dataset.validationWindows(T, limit)) {
          expect([inputs.length, targets.length]).toEqual([T, T]);
          expect(Array.from(inputs.subarray(1))).toEqual(Array.from(targets.subarray(0, -1)));
          scored.push(...targets.subarray(skip));
        }
        expect(scored).toEqual(Array.from(bytes.subarray(900, 900 + Math.min(limit, 100))));
      }),
    );
    expect(dataset.validationWindows(10)[0].inputs[0]).toBe(bytes[899]);
  });

  it('refuses sizes that do not fit, by name', () => {
    const random = new Random(0);
    expect(() => dataset.batch(random, 1, 900)).toThrow(
      /T must be below the length of the training part, 900/,
    );
    expect(() => dataset.batch(random, 0, 4)).toThrow(ArgumentError);
    expect(() => dataset.validationWindows(101)).toThrow(/T must be at most the bytes scored, 100/);
    expect(() => new ByteDataset('x', new Uint8Array(1))).toThrow(/long enough to split/);
    expect(() => new ByteDataset('x', bytes, 1)).toThrow(/trainFraction/);
  });
});

describe('the training text', () => {
  it('is generated with its floor when Tiny Shakespeare is not here', async () => {
    const folder = temporaryFolder();
    const text = await openTrainingText({ data: join(folder, 'a'), cache: join(folder, 'b') });
    expect(text.dataset.name).toBe('generated');
    expect(text.dataset.bytes.length).toBe(1_000_000);
    expect(text.floor).toBeGreaterThan(0.68);
    expect(text.floor).toBeLessThan(0.72);
    expect(text.note).toMatch(/entropy rate 0\.\d{4} bits per byte.*data pull tiny-shakespeare/);
    expect(text.sha256).toBe(generatedText().sha256);
  });

  it('is an error, not a silent replacement, when Tiny Shakespeare is damaged', async () => {
    const folder = temporaryFolder();
    mkdirSync(join(folder, 'text'));
    writeFileSync(join(folder, 'text', 'tinyshakespeare.txt'), 'To be');
    const options = { data: folder, cache: join(folder, 'b') };
    await expect(openTrainingText(options)).rejects.toThrow(DataError);
    await expect(openTrainingText(options)).rejects.toThrow(/must have 1115394 bytes, got 5/);
  });

  it('bitsPerByte turns nats into bits', () => {
    expect(bitsPerByte(Math.log(256))).toBeCloseTo(8, 14);
  });
});
