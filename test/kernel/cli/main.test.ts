import { describe, expect, it } from 'vitest';
import { dispatch } from '../../../kernel/cli/main.js';
import { verbs } from '../../../kernel/cli/verbs.js';

interface Answer {
  code: number;
  stdout: string;
  stderr: string;
}

async function assay(args: string[], signal = new AbortController().signal): Promise<Answer> {
  const answer = { code: 0, stdout: '', stderr: '' };
  answer.code = await dispatch(args, signal, {
    stdout: (text) => (answer.stdout += text),
    stderr: (text) => (answer.stderr += text),
  });
  return answer;
}

describe('the command line', () => {
  it('lists every verb with one line', async () => {
    const { code, stdout } = await assay(['--help']);
    expect(code).toBe(0);
    for (const name of Object.keys(verbs)) expect(stdout).toMatch(new RegExp(`^  ${name} +\\S`, 'm'));
  });

  it('shows the same without a verb, as wrong use', async () => {
    const { code, stdout } = await assay([]);
    expect(code).toBe(2);
    expect(stdout).toMatch(/Usage: assay VERB/);
  });

  it.each(['frobnicate', 'constructor', '--version'])(
    'refuses the unknown verb %s with the known ones',
    async (name) => {
      const { code, stdout, stderr } = await assay([name]);
      expect(code).toBe(2);
      expect(stdout).toBe('');
      expect(stderr).toMatch(/unknown verb.*doctor/);
    },
  );
});

describe.each(Object.keys(verbs))('assay %s', (name) => {
  it('is registered under its own name with a summary and a usage', async () => {
    const { verb } = await verbs[name]();
    expect(verb.name).toBe(name);
    expect(verb.summary.length).toBeGreaterThan(10);
    expect(verb.usage).toMatch(new RegExp(`^Usage: assay ${name}\\b`));
  });

  it('explains itself with --help, -h and `assay help`', async () => {
    const { verb } = await verbs[name]();
    for (const args of [
      [name, '--help'],
      [name, '-h'],
      ['help', name],
    ])
      expect(await assay(args)).toEqual({ code: 0, stdout: verb.usage.trimEnd() + '\n', stderr: '' });
  });
});

describe('wrong use', () => {
  it('of an option is exit code 2 with a pointer to --help', async () => {
    const { code, stdout, stderr } = await assay(['doctor', '--colour']);
    expect(code).toBe(2);
    expect(stdout).toBe('');
    expect(stderr).toMatch(/Unknown option '--colour'/);
    expect(stderr).toMatch(/assay doctor --help/);
  });

  it('with --json is one JSON document with the error', async () => {
    const { code, stdout } = await assay(['run', '--json']);
    expect(code).toBe(2);
    expect(JSON.parse(stdout)).toEqual({
      error: { name: 'UsageError', message: 'name at least one notebook' },
    });
  });

  it.each([
    [['run', 'a.txt'], /must end in \.ipynb/],
    [['run', 'a.ipynb', '--timeout', '0'], /--timeout must be a number above 0/],
    [['run', 'notebooks/start.ipynb', '--out', 'notebooks'], /--out must be another folder/],
    [['jupyter'], /say install, uninstall or bench/],
    [['jupyter', 'install', '--sys-prefix', '--prefix', 'x'], /exclude each other/],
  ])('%j is answered', async (args, message) => {
    const { code, stderr } = await assay(args);
    expect(code).toBe(2);
    expect(stderr).toMatch(message);
  });

  it('of a file that is not there is exit code 1', async () => {
    const { code, stderr } = await assay(['run', 'no-such.ipynb']);
    expect(code).toBe(1);
    expect(stderr).toMatch(/no-such\.ipynb cannot be read as a notebook/);
  });
});

describe('an interrupt', () => {
  it('is exit code 130', async () => {
    const { code } = await assay(['run', 'notebooks/start.ipynb'], AbortSignal.abort());
    expect(code).toBe(130);
  });
});
