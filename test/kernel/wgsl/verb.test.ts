/** `assay wgsl`: lists, writes a folder, refuses what would lose files or does not exist. */
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { dispatch } from '../../../kernel/cli/main.js';
import { temporaryFolder } from './support.js';

const { folder, remove } = temporaryFolder();
afterAll(remove);

async function run(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  const answer = { code: 0, stdout: '', stderr: '' };
  answer.code = await dispatch(['wgsl', ...args], new AbortController().signal, {
    stdout: (text) => void (answer.stdout += text),
    stderr: (text) => void (answer.stderr += text),
  });
  return answer;
}

describe('assay wgsl', () => {
  it('lists operators with forms, element types and kernels', async () => {
    const { code, stdout } = await run('list', '--json');
    expect(code).toBe(0);
    const rows = JSON.parse(stdout) as {
      operator: string;
      form: string;
      dtypes: string[];
      kernels: string[];
    }[];
    const norm = rows.find((r) => r.operator === 'ops/rms-norm')!;
    expect(norm).toMatchObject({ form: 'parallel', dtypes: ['f32', 'f16'] });
    expect(norm.kernels).toContain('ops/norm/forward');
  }, 600_000);

  it('writes a folder once, and again only with --force', async () => {
    const out = join(folder, 'norm');
    const first = await run('export', 'ops/rms-norm', '--dtype', 'f32', '--out', out, '--json');
    expect(first.code, first.stderr).toBe(0);
    const { files, operator } = JSON.parse(first.stdout) as { files: string[]; operator: string };
    expect(operator).toBe('ops/rms-norm');
    expect(readdirSync(out).sort()).toEqual([...files].sort());
    expect(files.some((f) => f.includes('f16'))).toBe(false);
    const again = await run('export', 'ops/rms-norm', '--out', out);
    expect(again.code).toBe(2);
    expect(again.stderr).toContain('--force');
    writeFileSync(join(out, 'mine.wgsl'), '// my own\n');
    writeFileSync(
      join(out, 'old.f32.wgsl'),
      readFileSync(
        join(
          out,
          files.find((f) => f.endsWith('.wgsl'))!,
        ),
      ),
    );
    const forced = await run('export', 'ops/rms-norm', '--out', out, '--force');
    expect(forced.code, forced.stderr).toBe(0);
    expect(existsSync(join(out, 'mine.wgsl'))).toBe(true);
    expect(existsSync(join(out, 'old.f32.wgsl'))).toBe(false);
    expect(readdirSync(out).some((f) => f.includes('f16'))).toBe(true);
  }, 120_000);

  it.each([
    [
      ['export', 'ops/nothing'],
      /needs an operator with WGSL kernels \(.*ops\/rms-norm.*\), got "ops\/nothing"/,
    ],
    [
      ['export', 'ops/rms-norm', '--form', 'chunk'],
      /--form must be one of parallel for ops\/rms-norm, got "chunk"/,
    ],
    [['export', 'ops/adamw', '--dtype', 'f16'], /--dtype must be among f32 for ops\/adamw, got "f16"/],
    [['export'], /needs list, or export and one operator/],
    [['show'], /needs list, or export and one operator/],
  ])('refuses %j and names the choices', async (args, says) => {
    const { code, stderr } = await run(...args);
    expect(code).toBe(2);
    expect(stderr).toMatch(says);
  });
});
