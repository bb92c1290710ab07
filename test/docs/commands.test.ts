/** What the pages tell people to type works: verbs and options exist, cheap commands run, code examples run. */
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import ts from 'typescript';
import { describe, expect, it } from 'vitest';
import { dispatch } from '../../kernel/cli/main.js';
import { verbs } from '../../kernel/cli/verbs.js';
import * as assay from '../../lib/index.js';
import { projectFiles, read, root } from '../structure/support.js';

const pages = projectFiles().filter((p) => p.endsWith('.md') && !p.startsWith('docs/reference/'));

interface Command {
  page: string;
  words: string[];
}

/** Every `npx --no assay ...` of a page; quoted words stay together, comments and placeholders of prose end it. */
const commands: Command[] = pages.flatMap((page) =>
  [...read(page).matchAll(/npx --no assay ([^\n`]*)/g)].map((match) => {
    const line = match[1].replace(/\s+#.*$/, '').trim();
    return { page, words: [...line.matchAll(/"([^"]*)"|\S+/g)].map((m) => m[1] ?? m[0]) };
  }),
);

async function run(args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  const answer = { code: 0, stdout: '', stderr: '' };
  answer.code = await dispatch(args, new AbortController().signal, {
    stdout: (text) => void (answer.stdout += text),
    stderr: (text) => void (answer.stderr += text),
  });
  return answer;
}

describe('commands in the pages', () => {
  it('are many, and name verbs that exist', () => {
    expect(commands.length).toBeGreaterThan(20);
    const wrong = commands.filter(({ words: [verb] }) => verb !== 'VERB' && !Object.hasOwn(verbs, verb));
    expect(wrong).toEqual([]);
  });

  it('use options that the verb explains', async () => {
    const wrong: string[] = [];
    for (const { page, words } of commands.filter(({ words: [verb] }) => Object.hasOwn(verbs, verb))) {
      const usage = (await verbs[words[0]]()).verb.usage;
      for (const option of words.filter((word) => word.startsWith('--')))
        if (option !== '--help' && !usage.includes(option))
          wrong.push(`${page}: ${words.join(' ')}: ${option}`);
    }
    expect(wrong).toEqual([]);
  });

  it('name papers, operators, data sets, claims and notebooks that exist', () => {
    const known: Record<string, (name: string) => boolean> = {
      reproduce: (name) => Object.hasOwn(assay.papers, name) || name.startsWith('./'),
      judge: (name) => Object.hasOwn(assay.papers, name),
      report: (name) => Object.hasOwn(assay.papers, name),
      ops: (name) => assay.operators().some((op) => op.record.id === name),
      eval: (name) => assay.operators().some((op) => op.record.id === name),
      cite: (name) => assay.listPapers().some((paper) => paper.claims.some((claim) => claim.id === name)),
      run: (name) => existsSync(join(root, name.includes('*') ? dirname(name) : name)),
    };
    const wrong = commands.filter(({ words: [verb, name] }) => {
      const placeholder = name === undefined || /^[A-Z]+(\.|$)/.test(name) || name.startsWith('--');
      return !placeholder && known[verb]?.(name) === false;
    });
    expect(wrong).toEqual([]);
  });

  it.each([
    { args: ['papers'], says: /mamba\/time-of-a-pass/ },
    { args: ['judge', 'mamba'], says: /not attempted/ },
    { args: ['cite', 'mamba/operations-per-token'], says: /2312\.00752v2/ },
    { args: ['ops', 'selective-scan'], says: /finalState/ },
    { args: ['data', 'list'], says: /tiny-shakespeare/ },
  ])('run: assay $args', async ({ args, says }) => {
    const { code, stdout } = await run(args);
    expect(code).toBe(0);
    expect(stdout).toMatch(says);
  });

  it('of a lesson leave nothing that git sees', async () => {
    const status = () => execFileSync('git', ['status', '--porcelain'], { cwd: root, encoding: 'utf8' });
    const before = status();
    const { code, stdout } = await run(['reproduce', 'mamba', '--size', 'smoke', '--json']);
    expect(code).toBe(0);
    const { runs } = JSON.parse(stdout) as { runs: unknown[] };
    expect(runs).toHaveLength(1);
    expect(status()).toBe(before);
  }, 120_000);
});

describe('scripts in the pages', () => {
  const scripts = JSON.parse(read('package.json')) as { scripts: Record<string, string> };

  it('are scripts of the package or files that exist', () => {
    const named = pages.flatMap((page) => {
      const text = read(page);
      const npm = [...text.matchAll(/npm run ([a-z]+)/g)].map((m) => [page, m[1], m[1] in scripts.scripts]);
      const files = [...text.matchAll(/node ((?:kernel|node_modules)\/\S+?\.mjs|node_modules\/\S+)/g)];
      return [
        ...npm,
        ...files.map((m) => [page, m[1], existsSync(join(root, m[1].replace(/[`).,]+$/, '')))]),
      ];
    });
    expect(named.length).toBeGreaterThan(3);
    expect(named.filter(([, , exists]) => !exists)).toEqual([]);
  });
});

describe('code examples in the pages', () => {
  const examples = ['README.md', 'docs/tensors.md'].flatMap((page) =>
    [...read(page).matchAll(/```ts\n([\s\S]*?)```/g)].map((m) => ({ page, code: m[1] })),
  );

  it('exist', () => expect(examples.length).toBeGreaterThan(1));

  it.runIf(existsSync(join(root, 'dist/lib/index.js')))(
    'run in Node as they stand, once the library is built',
    () => {
      const folder = mkdtempSync(join(tmpdir(), 'assay-examples-'));
      try {
        for (const [i, { code }] of examples.entries()) {
          const file = join(folder, `example-${i}.mjs`);
          const plain = ts.transpileModule(code, { compilerOptions: { target: 9, module: 99 } }).outputText;
          const library = new URL('../../dist/lib/index.js', import.meta.url).href;
          writeFileSync(file, plain.replace(`'assay'`, `'${library}'`));
          const { status, stderr, stdout } = spawnSync(process.execPath, [file], { encoding: 'utf8' });
          expect(status, stderr).toBe(0);
          expect(stdout.trim()).not.toBe('');
          for (const [, wanted] of code.matchAll(/console\.log\(.*\/\/ (.*)$/gm))
            for (const number of wanted.match(/\d+/g) ?? []) expect(stdout).toContain(number);
        }
      } finally {
        rmSync(folder, { recursive: true });
      }
    },
  );
});
