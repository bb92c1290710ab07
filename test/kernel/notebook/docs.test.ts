/** The examples of docs/notebook-api.md run as they stand. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import * as api from '../../../kernel/notebook/index.js';
import { WIDGET_VIEW } from '../../../kernel/notebook/bundle.js';
import { root } from '../../structure/support.js';
import { FakeHost, settled } from './fake-host.js';

const page = readFileSync(join(root, 'docs', 'notebook-api.md'), 'utf8');
const examples = [...page.matchAll(/^## (.+)$|^```ts\n([\s\S]*?)^```$/gm)].reduce<
  { title: string; code: string }[]
>((found, [, title, code]) => {
  if (title) found.push({ title, code: '' });
  else if (found.length > 0) found[found.length - 1].code += code;
  return found;
}, []);

/** Runs a cell's text with the names it imports. */
async function run(code: string): Promise<void> {
  const body = code.replace(
    /^import \{ (.*) \} from 'assay\/notebook';$/gm,
    (_, names: string) => `const { ${names} } = api;`,
  );
  const options = { target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.ESNext };
  const js = ts.transpile(`export {}; ${body}`, options).replace(/^export \{\};$/gm, '');
  const Async = Object.getPrototypeOf(run) as {
    constructor: new (...text: string[]) => (of: typeof api) => Promise<void>;
  };
  await new Async.constructor('api', js)(api);
}

let host: FakeHost;
beforeEach(() => {
  host = new FakeHost().install();
  vi.spyOn(console, 'log').mockImplementation((...words: unknown[]) => {
    host.output({ kind: 'stream', name: 'stdout', text: `${words.join(' ')}\n` });
  });
});
afterEach(() => void vi.restoreAllMocks());

describe('the page about the notebook API', () => {
  it.each(examples.filter(({ code }) => code))('runs its examples: $title', async ({ code }) => {
    await run(code);
    await Promise.all(host.held);
    await settled();
    expect(host.outputs.filter(({ output }) => output.kind === 'error')).toEqual([]);
    expect(host.outputs.length + host.comms.length).toBeGreaterThan(0);
  });

  it('runs its examples in a headless run as well', async () => {
    host.headless = true;
    for (const { code } of examples) await run(code);
    await Promise.all(host.held);
    expect(host.page.some((data) => WIDGET_VIEW in data)).toBe(false);
    expect(host.page.map((data) => data['text/plain'])).toContain('adding: 3 of 3 (100%), 0:00 in all');
  });

  it('names every function that is exported', () => {
    const functions = Object.entries(api)
      .filter(([name, value]) => typeof value === 'function' && /^[a-z]/.test(name) && name !== 'currentCell')
      .map(([name]) => name);
    expect(functions.filter((name) => !page.includes(`\`${name}\``) && !page.includes(`${name}(`))).toEqual(
      [],
    );
  });
});
