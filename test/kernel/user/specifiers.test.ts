import { describe, expect, it } from 'vitest';
import { isLocal, ownModule, ownModules } from '../../../kernel/user/specifiers.js';
import { root } from '../../structure/support.js';

const dist = 'file:///somewhere/dist-x/';
const own = ownModules(root, dist);

describe('own modules', () => {
  it.each([
    ['assay', 'lib/index.js'],
    ['assay/nn/train', 'lib/nn/train.js'],
    ['assay/notebook', 'kernel/notebook/index.js'],
    ['tslab', 'kernel/notebook/tslab.js'],
  ])('%s is the file compiled beside the kernel', (specifier, file) => {
    expect(ownModule(specifier, own)).toBe(dist + file);
  });

  it.each(['assayer', 'arquero', './assay', 'tslab/x', 'node:fs'])('%s is none', (specifier) => {
    expect(ownModule(specifier, own)).toBeUndefined();
  });
});

describe('local specifiers', () => {
  it('are paths and file addresses', () => {
    for (const one of ['./a', '../b.ts', '.', '..', '/c', 'file:///d', 'C:\\e', 'C:/f'])
      expect(isLocal(one)).toBe(true);
    for (const one of ['a', '@b/c', 'node:fs', '#d', 'data:text/javascript,1', '.hidden'])
      expect(isLocal(one)).toBe(false);
  });
});
