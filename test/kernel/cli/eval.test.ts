/** `assay eval`, `bench`, `ops` and `generate`: what they refuse, and that a check cannot pass by checking nothing. */
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { dispatch } from '../../../kernel/cli/main.js';
import { decodeSafetensors, encodeSafetensors, type StoredTensor } from '../../../lib/nn/safetensors.js';

let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'assay eval ü '));
  await mkdir(folder, { recursive: true });
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function assay(args: string[], signal = new AbortController().signal) {
  const answer = { code: 0, stdout: '', stderr: '' };
  answer.code = await dispatch(args, signal, {
    stdout: (text) => (answer.stdout += text),
    stderr: (text) => (answer.stderr += text),
  });
  return answer;
}

const row = (...values: number[]): StoredTensor => ({
  dtype: 'f32',
  shape: [values.length],
  data: Float32Array.from(values),
});

async function file(name: string, tensors: Record<string, StoredTensor>): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, encodeSafetensors(tensors, {}));
  return path;
}

/** Exit code and message of the one JSON document of `assay eval ARGS`. */
async function refused(args: string[]): Promise<{ code: number; message: string }> {
  const { code, stdout } = await assay(['eval', ...args, '--output', join(folder, 'never.safetensors')]);
  const { error } = JSON.parse(stdout) as { error: { message: string } };
  return { code, message: error.message };
}

describe('assay eval', () => {
  it('writes outputs and gradients', async () => {
    const inputs = await file('in.safetensors', { a: row(2), b: row(3), 'grad.y': row(10) });
    const output = join(folder, 'out.safetensors');
    expect(await assay(['eval', 'ops/mul', '--inputs', inputs, '--output', output, '--grad'])).toEqual({
      code: 0,
      stdout: '',
      stderr: '',
    });
    const { tensors } = decodeSafetensors(await readFile(output));
    expect(Object.entries(tensors).map(([k, t]) => [k, t.data[0]])).toEqual([
      ['grad.a', 30],
      ['grad.b', 20],
      ['y', 6],
    ]);
  });

  it.each([
    ['an extra input', ['ops/mul'], { a: row(1), b: row(1), c: row(1) }, /among a, b, got "c"/],
    ['a missing one', ['ops/mul'], { a: row(1) }, /input b of ops\/mul must be given/],
    ['a mis-shaped one', ['ops/mul'], { a: row(1), b: row(1, 2) }, /must have equal shapes/],
    ['gradients without --grad', ['ops/exp'], { x: row(1), 'grad.y': row(1) }, /got "grad.y"/],
    [
      '--grad without gradients',
      ['ops/exp', '--grad'],
      { x: row(1) },
      /at least one output \(grad\.y\), got none/,
    ],
    [
      'a mis-shaped gradient',
      ['ops/exp', '--grad'],
      { x: row(1), 'grad.y': row(1, 2) },
      /gradient of y must have/,
    ],
    [
      'parameters that are no object',
      ['ops/exp', '--params', '[1]'],
      { x: row(1) },
      /params must be a JSON object, got \[1\]/,
    ],
    ['an unknown parameter', ['ops/exp', '--params', '{"p":1}'], { x: row(1) }, /parameters must be among/],
    [
      'a parameter out of range',
      ['ops/slice', '--params', '{"end":9}'],
      { x: row(1) },
      /0 <= start <= end <= 1/,
    ],
    ['an unknown operator', ['ops/nope'], { x: row(1) }, /operator: id must be one of/],
    ['an unknown form', ['ops/exp', '--form', 'fast'], { x: row(1) }, /form must be one of.*got "fast"/],
  ])('answers %s with exit code 2 and one JSON document', async (name, args, tensors, message) => {
    const inputs = await file(`${name.replace(/\W/g, '-')}.safetensors`, tensors);
    const answer = await refused([...args, '--inputs', inputs]);
    expect(answer.code).toBe(2);
    expect(answer.message).toMatch(message);
  });

  it('answers a missing, a cut and a corrupt file with exit code 2 and one JSON document', async () => {
    const whole = await readFile(await file('whole.safetensors', { x: row(1, 2, 3) }));
    const cut = join(folder, 'cut.safetensors');
    await writeFile(cut, whole.subarray(0, whole.length - 4));
    const corrupt = join(folder, 'corrupt.safetensors');
    await writeFile(corrupt, 'not a tensor file at all');
    for (const path of [join(folder, 'none.safetensors'), cut, corrupt])
      expect((await refused(['ops/exp', '--inputs', path])).code).toBe(2);
  });

  it('refuses to compare forms or backends that do not exist', async () => {
    expect(await assay(['eval', 'ops/exp', '--form', 'bogus', '--backend', 'all'])).toMatchObject({
      code: 2,
    });
    expect(await assay(['eval', 'ops/exp', '--form', 'all', '--backend', 'bogus'])).toMatchObject({
      code: 2,
    });
    const nothing = await assay(['eval', 'ops/exp', '--form', 'chunk', '--backend', 'all']);
    expect(nothing.code).toBe(1);
    expect(nothing.stderr).toMatch(/nothing was compared/);
  });

  it('runs every line of a cases file, whatever the lines before it do', async () => {
    await file('x.safetensors', { x: row(0) });
    const line = { op: 'ops/exp', inputs: 'x.safetensors', output: 'y.safetensors' };
    const lines = [
      'not json',
      'null',
      JSON.stringify({ id: 'no output', ...line, output: undefined }),
      JSON.stringify({ id: 'text for grad', ...line, grad: 'yes' }),
      JSON.stringify({ id: 'good', ...line }),
    ];
    const path = join(folder, 'cases.jsonl');
    await writeFile(path, lines.join('\n') + '\n');
    const { code, stdout } = await assay(['eval', '--cases', path]);
    const results = stdout
      .trim()
      .split('\n')
      .map((text) => JSON.parse(text) as { id: unknown; ok: boolean; error?: string });
    expect(code).toBe(1);
    expect(results.map((r) => [r.id, r.ok])).toEqual([
      [0, false],
      [1, false],
      ['no output', false],
      ['text for grad', false],
      ['good', true],
    ]);
    expect(results[1].error).toMatch(/request must be a JSON object, got null/);
    expect(results[2].error).toMatch(/output must be a string, got nothing/);
    expect(results[3].error).toMatch(/grad must be a boolean/);
  });

  it('stops between cases with exit code 130 when interrupted', async () => {
    const path = join(folder, 'never.jsonl');
    await writeFile(path, '{}\n');
    const { code, stdout } = await assay(['eval', '--cases', path], AbortSignal.abort());
    expect([code, stdout]).toEqual([130, '']);
  });

  it('names a cases file that cannot be read', async () => {
    const { code, stderr } = await assay(['eval', '--cases', join(folder, 'none.jsonl')]);
    expect(code).toBe(2);
    expect(stderr).toMatch(/--cases must be a readable file/);
  });
});

describe('assay bench', () => {
  it('refuses a filter that matches nothing and unknown backends, instead of an empty table', async () => {
    expect(await assay(['bench', 'no-such-operator', '--backend', 'cpu'])).toMatchObject({ code: 2 });
    const { code, stderr } = await assay(['bench', '--backend', 'cuda']);
    expect(code).toBe(2);
    expect(stderr).toMatch(/--backend must be among cpu, wasm, webgpu, got "cuda"/);
  });
});

describe('assay ops and assay generate', () => {
  it('answer what does not exist with one JSON document', async () => {
    for (const args of [
      ['ops', 'nope', '--json'],
      ['generate', join(folder, 'none.safetensors'), '--json'],
    ]) {
      const { code, stdout } = await assay(args);
      expect(code).toBe(1);
      expect(JSON.parse(stdout)).toHaveProperty('error.message');
    }
  });
});
