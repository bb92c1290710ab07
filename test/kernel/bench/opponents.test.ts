import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { openC } from '../../../kernel/bench/opponents/c.js';
import { openTorch } from '../../../kernel/bench/opponents/torch.js';

const folder = fileURLToPath(new URL('../../../kernel/bench/opponents/', import.meta.url));
const source = join(folder, 'selective-scan.c');
const script = join(folder, 'selective_scan.py');
const dims = { B: 1, T: 64, D: 64, N: 4, G: 1 };

const stubs: string[] = [];
afterAll(() => stubs.forEach((made) => rmSync(made, { recursive: true, force: true })));

/** A stand-in for the Python program, run by this Node. */
function stub(lines: string): string {
  const made = mkdtempSync(join(tmpdir(), 'assay stub '));
  stubs.push(made);
  const path = join(made, 'stub.mjs');
  writeFileSync(path, lines);
  return path;
}

const answering = (hello: string) =>
  `console.log('${hello}');
   process.stdin.on('data', (data) => {
     for (const text of String(data).trim().split('\\n')) {
       const { form, direction, T } = JSON.parse(text);
       console.log(JSON.stringify(form === 'loop' ? { ms: direction === 'forward' ? T : 3 * T } : { error: 'too large' }));
     }
   });`;

describe('the program in C', () => {
  it('is not run without a compiler, and that is said', async () => {
    const none = await openC(source, { compilers: ['no-such-compiler'] });
    expect(none.list).toEqual([]);
    expect(none.notes).toEqual(['C: not run, none of no-such-compiler is installed']);
    none.dispose();
  });

  it('is compiled for any processor and for this one where a compiler is, agrees with double precision, and is timed', async () => {
    const c = await openC(source);
    try {
      expect(c.list.length === 0 || c.notes.length === 3).toBe(true);
      for (const opponent of c.list) {
        expect(opponent.fits(dims)).toBe(true);
        expect(opponent.fits({ ...dims, B: 2 })).toBe(false);
        expect(opponent.fits({ ...dims, T: 65 })).toBe(false);
        expect(opponent.fits({ ...dims, D: 65 })).toBe(false);
        const forward = await opponent.sampler(dims, 'forward', 100);
        const both = await opponent.sampler(dims, 'forward+backward', 100);
        expect(forward.samples).toBeGreaterThanOrEqual(3);
        expect(await forward.take()).toBeGreaterThan(0);
        expect(await both.take()).toBeGreaterThan(0);
      }
    } finally {
      c.dispose();
    }
  });

  it('is left out when it does not compile, with the compiler its reason', async () => {
    const broken = stub('this is not C');
    const c = await openC(broken);
    expect(c.list).toEqual([]);
    expect(c.notes.join('\n')).toMatch(/not run/);
    c.dispose();
  });
});

describe('the program in PyTorch', () => {
  const node = [[process.execPath]];
  const SCAN = { forms: ['loop', 'published'], sizes: ['B', 'T', 'D', 'N'] };

  it('is not run without PyTorch, and the reason names ASSAY_PYTHON', async () => {
    const none = await openTorch(script, [1], SCAN, { candidates: [['no-such-python'], ['also', '-not']] });
    expect(none.list).toEqual([]);
    expect(none.notes.join()).toMatch(/no-such-python, also -not can import torch; ASSAY_PYTHON/);
    none.dispose();
  });

  it('answers one line with another, at every thread count', async () => {
    const torch = await openTorch(
      stub(answering('{"torch":"9","python":"8","difference":1e-7}')),
      [1, 2],
      SCAN,
      {
        candidates: [['no-such-python'], ...node],
      },
    );
    try {
      expect(torch.notes).toEqual(['PyTorch: 9 with Python 8']);
      expect(torch.list.map(({ name, threads }) => `${name} ${threads}`)).toEqual([
        'PyTorch loop 1',
        'PyTorch published 1',
        'PyTorch loop 2',
        'PyTorch published 2',
      ]);
      const [loop, published] = torch.list;
      const sampler = await loop.sampler(dims, 'forward+backward', 1000);
      expect(sampler.once).toBe(3 * dims.T);
      expect(await sampler.take()).toBe(3 * dims.T);
      await expect(published.sampler(dims, 'forward', 1000)).rejects.toThrow('too large');
    } finally {
      torch.dispose();
    }
  });

  it('is not an opponent when its forms are wrong', async () => {
    for (const difference of ['1', 'null']) {
      const hello = `{"torch":"9","python":"8","difference":${difference}}`;
      const torch = await openTorch(stub(answering(hello)), [1], SCAN, { candidates: node });
      expect(torch.list).toEqual([]);
      expect(torch.notes.join()).toMatch(/differ from double precision/);
    }
  });

  it('stops when it is told to', async () => {
    const controller = new AbortController();
    const hello = '{"torch":"9","python":"8","difference":0}';
    const torch = await openTorch(stub(answering(hello)), [1], SCAN, {
      candidates: node,
      signal: controller.signal,
    });
    controller.abort();
    await expect(torch.list[0].sampler(dims, 'forward', 1000)).rejects.toThrow(/cancelled/);
    torch.dispose();
  });

  it('is a script that stands beside its loader', () => {
    expect(existsSync(script)).toBe(true);
    expect(existsSync(source)).toBe(true);
  });
});
