/** Training on the wasm backend gives the same bits in Node and in Chromium, on one thread and on two. */
import { describe, expect, it } from 'vitest';
import { chromiumPath, runInChromium } from './chromium.js';
import { trainedFingerprint } from './training-fixture.js';

/** Written down once, so that every platform and Node version is held to the same bits. */
const FINGERPRINT = '36c7acdb45d50a6bfc9c8e1a7db3e33715b58d7095d79706431dd783b835b7db';

describe('the fingerprint of twenty training steps', () => {
  it.each([1, 2])('is the written one in this Node on %i threads', async (threads) => {
    expect(await trainedFingerprint(threads)).toBe(FINGERPRINT);
  });

  it.runIf(chromiumPath)('is the written one in Chromium, with and without threads', async () => {
    const code = `import { trainedFingerprint } from './test/browser/training-fixture.ts';
      export async function main() { return [await trainedFingerprint(1), await trainedFingerprint(2)]; }`;
    expect(await runInChromium<string[]>(code)).toEqual([FINGERPRINT, FINGERPRINT]);
  });
});
