import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { dispatch } from '../../../kernel/cli/main.js';
import { codeOfFile } from '../../../kernel/reproduce/load-paper.js';
import { formatRun, listPapers, papers } from '../../../lib/papers/index.js';
import { makeRun } from '../../papers/ledger-fixtures.js';

const folder = mkdtempSync(join(tmpdir(), 'assay-verbs-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function assay(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  const answer = { code: 0, stdout: '', stderr: '' };
  answer.code = await dispatch(args, new AbortController().signal, {
    stdout: (text) => (answer.stdout += text),
    stderr: (text) => (answer.stderr += text),
  });
  return answer;
}

const claim = papers.mamba.claims[0];
const run = makeRun(
  claim,
  [
    { arm: 'mamba', at: 8, value: 100 },
    { arm: 'mamba', at: 16, value: 100 },
    { arm: 'transformer', at: 8, value: 100 },
    { arm: 'transformer', at: 16, value: 200 },
  ],
  { started: '2999-01-01T00:00:00Z' },
);
const file = join(folder, 'run.json');
writeFileSync(file, formatRun(run));

describe('papers', () => {
  it('prints the shape that scripts rely on', async () => {
    const { code, stdout } = await assay('papers', '--json');
    expect(code).toBe(0);
    const entries = JSON.parse(stdout) as { id: string; claims: object[] }[];
    expect(entries.map(({ id }) => id)).toEqual(listPapers().map(({ id }) => id));
    const first = entries.find(({ id }) => id === 'mamba')!;
    expect(first).toMatchObject({ year: 2023, arxiv: '2312.00752v2', family: 'selective-scan' });
    for (const entry of first.claims)
      expect(entry).toMatchObject<Record<string, unknown>>({
        id: expect.stringMatching(/^mamba\//),
        kind: expect.any(String),
        headline: expect.any(Boolean),
        outcome: expect.any(String),
        scope: expect.stringMatching(/^S[0-4]$/),
        evidence: expect.any(String),
        word: expect.any(String),
        why: expect.stringMatching(/\.$/),
      });
  });
});

describe('judge', () => {
  it('lists every claim with its reason, and refuses an unknown paper', async () => {
    const { code, stdout } = await assay('judge', 'mamba');
    expect(code).toBe(0);
    expect(stdout).toContain('mamba/generation-throughput');
    expect((await assay('judge', 'mambo')).code).toBe(1);
  });
});

describe('verify', () => {
  it('accepts a sound run and judges it again', async () => {
    const { code, stdout } = await assay('verify', file, '--json');
    const document = JSON.parse(stdout) as { checks: { ok: boolean }[]; judgements: object[] };
    expect(document.checks.map((check) => check.ok)).toEqual([true, true, true]);
    expect(document.judgements).toMatchObject([{ claim: claim.id, outcome: 'supports' }]);
    expect(code).toBe(0);
  });

  it('refuses a run file that was edited, and one that is missing', async () => {
    const edited = join(folder, 'edited.json');
    writeFileSync(edited, readFileSync(file, 'utf8').replace('"value":200', '"value":201'));
    const { code, stderr } = await assay('verify', edited);
    expect(code).toBe(1);
    expect(stderr).toMatch(/a run file must not be edited/);
    expect((await assay('verify', join(folder, 'none.json'))).stderr).toMatch(
      /must be a readable file, got ENOENT/,
    );
    expect((await assay('verify')).code).toBe(2);
  });

  it('fails a run of another criterion', async () => {
    const other = join(folder, 'other.json');
    writeFileSync(
      other,
      formatRun(
        makeRun(claim, [{ arm: 'mamba', at: 8, value: 1 }], { criteria: { [claim.id]: 'a'.repeat(64) } }),
      ),
    );
    const { code, stdout } = await assay('verify', other);
    expect(code).toBe(1);
    expect(stdout).toMatch(/FAILED +mamba\/state-bytes: measured for criterion a+/);
  });
});

describe('cite', () => {
  it('names the claim, its place, the verdict and the hashes', async () => {
    const { code, stdout } = await assay('cite', claim.id);
    expect(code).toBe(0);
    expect(stdout).toMatch(/arXiv 2312\.00752v2/);
    expect(stdout).toMatch(/Criterion [0-9a-f]{64}; runs/);
    const document = JSON.parse((await assay('cite', claim.id, '--json')).stdout) as {
      text: string;
      dirty: boolean;
    };
    expect(document.text.endsWith(' with uncommitted changes.')).toBe(document.dirty);
    expect((await assay('cite', 'mamba/none')).stderr).toMatch(/claim must be one of .*mamba\/state-bytes/);
  });
});

describe('a paper of a file', () => {
  it('is told from an edited one by the hash of its code and of what it imports; a slug has none', async () => {
    const [paper, part] = [join(folder, 'own.ts'), join(folder, 'part.ts')];
    writeFileSync(paper, "export { steps } from './part.js';\n");
    writeFileSync(part, 'export const steps: number = 1;\n');
    const root = process.cwd();
    const before = await codeOfFile(paper, root);
    expect(before).toMatch(/^[0-9a-f]{64}$/);
    expect(await codeOfFile(paper, root)).toBe(before);
    writeFileSync(part, 'export const steps: number = 2;\n');
    expect(await codeOfFile(paper, root)).not.toBe(before);
    expect(await codeOfFile('mamba', root)).toBeUndefined();
  });
});

describe('report', () => {
  it('writes one page', async () => {
    const out = join(folder, 'page.html');
    const { code, stdout } = await assay('report', '--recorded', '--out', out, '--json');
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toEqual({ page: out, papers: listPapers().map(({ id }) => id) });
    expect(readFileSync(out, 'utf8')).toMatch(/^<!doctype html>/);
  });
});

describe('reproduce', () => {
  it.each([
    [['reproduce'], /name at least one paper/],
    [['reproduce', 'mamba', '--size', 'huge'], /--size must be one of smoke, lesson, full, got "huge"/],
    [['reproduce', 'mamba', '--backend', 'cuda'], /--backend must be one of/],
    [['reproduce', '--all', 'mamba'], /not both/],
    [['reproduce', './mine.ts', '--record'], /--record is for the papers of the project/],
    [['reproduce', 'mamba', '--workers', '1.5'], /--workers must be an integer/],
  ])('%j is wrong use', async (args, message) => {
    const { code, stderr } = await assay(...args);
    expect(code).toBe(2);
    expect(stderr).toMatch(message);
  });
});
