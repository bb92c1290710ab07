import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { reproduce, type ReproduceOptions } from '../../../kernel/reproduce/reproduce.js';

const root = fileURLToPath(new URL('../../..', import.meta.url));
const empty = mkdtempSync(join(tmpdir(), 'assay no data '));

beforeAll(() => {
  vi.stubEnv('ASSAY_DATA', '');
  vi.stubEnv('ASSAY_CACHE', empty);
});
afterAll(() => {
  vi.unstubAllEnvs();
  rmSync(empty, { recursive: true, force: true });
});

const lines: string[] = [];
const options = (paper: string): ReproduceOptions => ({
  root,
  paper,
  size: 'smoke',
  backend: 'wasm',
  record: false,
  fresh: false,
  generated: false,
  signal: new AbortController().signal,
  progress: (line) => lines.push(line),
});

describe('reproduce without the data of a paper', () => {
  it('leaves the experiment out, says what it needs, and judges the claims as not run', async () => {
    const { done, left, judged, page } = await reproduce(options('over-training'));
    expect([done, page]).toEqual([[], undefined]);
    expect(left.map(({ experiment }) => experiment)).toEqual(['grid']);
    expect(left[0].reason).toMatch(/it needs overtraining-grid, not on this machine/);
    expect(lines.some((line) => line.startsWith('grid is left out: it needs overtraining-grid'))).toBe(true);
    expect(judged.every(({ judgement }) => judgement.word === 'not attempted')).toBe(true);
  });

  it('has nothing to do for a paper without experiments', async () => {
    const { done, left, judged } = await reproduce(options('languini-kitchen'));
    expect([done, left]).toEqual([[], []]);
    expect(judged.map(({ judgement }) => judgement.outcome)).toEqual(['not-testable', 'not-testable']);
  });
});
