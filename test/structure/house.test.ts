/** House rules that a machine can check: paths, links, sizes, leftovers. */
import { existsSync } from 'node:fs';
import { posix } from 'node:path';
import { describe, expect, it } from 'vitest';
import { projectFiles, read, root } from './support.js';

const TEXT = /\.(ts|mts|mjs|js|json|md|ipynb|wgsl|py|yml|yaml|sh|txt)$|^\.ci\/run$/;
const files = projectFiles().filter((p) => TEXT.test(p) && p !== 'package-lock.json');
const code = files.filter((p) => /\.(ts|mjs|js)$/.test(p));

describe('the house', () => {
  it('names no absolute path of a machine', () => {
    // Folders of somebody's machine; /usr/bin and /etc are the same everywhere and may be named.
    const pattern = new RegExp(
      `["'\`\\s(=](${['/home/', '/root/', '/work/', '/Users/', '/tmp/'].join('|')})[A-Za-z0-9._-]`,
    );
    expect(files.filter((p) => !p.startsWith('test/') && pattern.test(read(p)))).toEqual([]);
  });

  it('names no host of a package registry', () => {
    const hosts = [
      'registry' + '.npmjs',
      'pypi' + '.org',
      'files.python' + 'hosted',
      'deb' + '.debian.org',
      'crates' + '.io',
    ];
    expect(files.filter((p) => hosts.some((h) => read(p).includes(h)))).toEqual([]);
    expect(read('package-lock.json').includes('"resolved"')).toBe(false);
  });

  it('has no dead relative links in its pages', () => {
    const dead = files
      .filter((p) => p.endsWith('.md'))
      .flatMap((p) =>
        [...read(p).matchAll(/\]\(([^)\s#]+)(?:#[^)]*)?\)/g)]
          .map((m) => m[1])
          .filter(
            (target) =>
              !/^[a-z]+:/.test(target) && !existsSync(posix.join(root, posix.dirname(p), decodeURI(target))),
          )
          .map((target) => `${p} -> ${target}`),
      );
    expect(dead).toEqual([]);
  });

  it('has no focused, skipped or postponed tests and no debugging left', () => {
    const pattern = new RegExp(
      `\\b(it|test|describe)\\.(${['only', 'todo'].join('|')})\\(|\\b(it|test|describe)\\.${'skip'}\\(|\\bdebugger;`,
    );
    expect(code.filter((p) => pattern.test(read(p)))).toEqual([]);
    const marks = new RegExp(`\\b(${['TO' + 'DO', 'FIX' + 'ME', 'XX' + 'X'].join('|')})\\b`);
    expect(code.filter((p) => marks.test(read(p)))).toEqual([]);
  });

  it('keeps source files short enough to read', () => {
    const long = code.filter((p) => !p.startsWith('test/') && read(p).split('\n').length > 400);
    expect(long).toEqual([]);
  });

  it('names every file in kebab-case', () => {
    const odd = code.filter(
      (p) =>
        !posix
          .basename(p)
          .split('.')[0]
          .match(/^[a-z0-9]+(-[a-z0-9]+)*$/),
    );
    expect(odd).toEqual([]);
  });
});
