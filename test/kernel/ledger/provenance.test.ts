import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { codeState } from '../../../kernel/ledger/provenance.js';
import { temporaryFolder } from '../../tasks/temporary.js';

function checkout(): { root: string; git: (...args: string[]) => string } {
  const root = temporaryFolder();
  mkdirSync(join(root, 'lib', 'generated'), { recursive: true });
  writeFileSync(join(root, 'lib', 'a.ts'), 'export {};');
  writeFileSync(join(root, 'package-lock.json'), '{}');
  const identity = ['-c', 'user.name=t', '-c', 'user.email=t@example.org', '-c', 'commit.gpgsign=false'];
  const git = (...args: string[]): string =>
    execFileSync('git', [...identity, '-c', 'core.hooksPath=none', ...args], {
      cwd: root,
      encoding: 'utf8',
    }).trim();
  return { root, git };
}

describe('codeState', () => {
  it('is dirty without a commit, clean after one, dirty after a change of a source', async () => {
    const { root, git } = checkout();
    expect(await codeState(root)).toMatchObject({ dirty: true, code: { commit: 'none' } });
    git('init', '-q');
    git('add', '.');
    git('commit', '-q', '-m', 'first');
    const clean = await codeState(root);
    expect(clean).toMatchObject({ dirty: false, code: { commit: git('rev-parse', 'HEAD') } });
    expect(clean.lock).toBe('44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a');
    writeFileSync(join(root, 'notes.txt'), 'not a source');
    expect(await codeState(root)).toEqual(clean);
    writeFileSync(join(root, 'lib', 'b.ts'), 'export {};');
    const changed = await codeState(root);
    expect(changed.dirty).toBe(true);
    expect(changed.code.hash).not.toBe(clean.code.hash);
  });

  it('does not hash what the build makes', async () => {
    const { root } = checkout();
    const before = await codeState(root);
    writeFileSync(join(root, 'lib', 'generated', 'x.ts'), 'made');
    expect((await codeState(root)).code.hash).toBe(before.code.hash);
  });
});
