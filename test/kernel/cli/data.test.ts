import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { verb } from '../../../kernel/cli/data.js';
import { UsageError, type VerbContext } from '../../../kernel/cli/verb.js';
import { temporaryFolder } from '../../tasks/temporary.js';

interface Recorded {
  out: string[];
  json: unknown[];
  progress: string[];
}

let recorded: Recorded;
let context: VerbContext;
let folder: string;

beforeEach(() => {
  folder = temporaryFolder();
  vi.stubEnv('ASSAY_DATA', join(folder, 'mirror'));
  vi.stubEnv('ASSAY_CACHE', join(folder, 'cache'));
  recorded = { out: [], json: [], progress: [] };
  context = {
    signal: new AbortController().signal,
    root: folder,
    out: (text) => recorded.out.push(text),
    json: (document) => recorded.json.push(document),
    progress: (text) => recorded.progress.push(text),
  };
});
afterEach(() => {
  vi.unstubAllEnvs();
});

describe('assay data', () => {
  it("looks in the project's own cache, wherever the command is given", async () => {
    vi.stubEnv('ASSAY_CACHE', '');
    mkdirSync(join(folder, '.assay', 'data', 'text'), { recursive: true });
    writeFileSync(join(folder, '.assay', 'data', 'text', 'tinyshakespeare.txt'), 'short');
    expect(await verb.run(['list', '--json'], context)).toBe(0);
    const rows = recorded.json[0] as { name: string; problem?: string }[];
    expect(rows.find((row) => row.name === 'tiny-shakespeare')?.problem).toContain(folder);
  });

  it('lists every data set with its licence and where it is', async () => {
    mkdirSync(join(folder, 'mirror', 'text'), { recursive: true });
    writeFileSync(join(folder, 'mirror', 'text', 'tinyshakespeare.txt'), 'short');
    expect(await verb.run(['list', '--json'], context)).toBe(0);
    const rows = recorded.json[0] as {
      name: string;
      here: string | null;
      problem?: string;
      licence: string;
    }[];
    expect(recorded.json).toHaveLength(1);
    expect(rows.find((row) => row.name === 'tiny-shakespeare')?.problem).toMatch(
      /must have 1115394 bytes, got 5/,
    );
    expect(rows.every((row) => row.here === null && row.licence.length > 0)).toBe(true);
    expect(await verb.run(['list'], context)).toBe(0);
    expect(recorded.out.join('\n')).toMatch(/tiny-shakespeare +1\.1 MB {2}DAMAGED/);
    expect(recorded.out.join('\n')).toMatch(/lambda-phage +49\.3 kB {2}mirror only/);
  });

  it('refuses unknown names before fetching anything, and data that only a mirror has', async () => {
    await expect(verb.run(['pull', 'lambda-phage', 'nothing'], context)).rejects.toThrow(
      /name must be one of/,
    );
    await expect(verb.run(['pull', 'lambda-phage'], context)).rejects.toThrow(/set ASSAY_DATA to a folder/);
  });

  it('is a usage error without an action or a name', async () => {
    for (const args of [[], ['pull'], ['list', 'x'], ['push', 'x'], ['list', '--wrong']]) {
      await expect(verb.run(args, context)).rejects.toThrow(UsageError);
    }
  });
});
