/** Everything a record promises exists, and nothing stands beside the records. */
import { describe, expect, it } from 'vitest';
import { operators } from '../../lib/index.js';
import { isDifferentiable } from '../../lib/tensor/conformance.js';
import { projectFiles, read } from './support.js';

const records = operators().map((o) => o.record);

describe('every operator record', () => {
  it('has a reference in TypeScript and a form on the GPU', () => {
    expect(records.filter((r) => !r.forms.reference?.cpu).map((r) => r.id)).toEqual([]);
    expect(records.filter((r) => !Object.values(r.forms).some((b) => b?.webgpu)).map((r) => r.id)).toEqual(
      [],
    );
  });

  it('has a gradient in every form, or says that none flows', () => {
    const missing = records.filter(isDifferentiable).flatMap((r) =>
      Object.entries(r.forms).flatMap(([form, backends]) =>
        Object.entries(backends ?? {})
          .filter(([, implementation]) => !implementation.backward && !r.gradient)
          .map(([backend]) => `${r.id} ${form}/${backend}`),
      ),
    );
    const optimisers = ['ops/adamw', 'ops/sgd'];
    expect(missing.filter((m) => !optimisers.some((o) => m.startsWith(o)))).toEqual([]);
  });

  it('has cases, sources, an equation and documented tensors', () => {
    const poor = records.filter(
      (r) =>
        r.cases.length === 0 ||
        r.sources.length === 0 ||
        r.equation === '' ||
        [...r.inputs, ...r.outputs].some((t) => t.doc === ''),
    );
    expect(poor.map((r) => r.id)).toEqual([]);
  });

  it('has case names that are unique, since failures are reported by them', () => {
    const double = records.filter((r) => new Set(r.cases.map((c) => c.name)).size !== r.cases.length);
    expect(double.map((r) => r.id)).toEqual([]);
  });

  it('asks sequence operators for one token and a prime length among their cases', () => {
    const sequence = records.filter((r) => r.inputs.some((i) => /\bT\b/.test(i.shape)) && r.state);
    const poor = sequence.filter(
      (r) =>
        !r.cases.some((c) => c.dims.T === 1) || !r.cases.some((c) => [7, 13, 29, 31, 67].includes(c.dims.T)),
    );
    expect(sequence.length).toBeGreaterThan(2);
    expect(poor.map((r) => r.id)).toEqual([]);
  });
});

describe('every WGSL file', () => {
  const files = projectFiles().filter((p) => p.startsWith('kernels-wgsl/') && p.endsWith('.wgsl'));

  it('is used by lib or included by another kernel', () => {
    const lib = projectFiles()
      .filter((p) => p.startsWith('lib/') && p.endsWith('.ts'))
      .map(read)
      .join('\n');
    const kernels = files.map(read).join('\n');
    const unused = files.filter((p) => {
      // A subgroup variant is used where its kernel is.
      const key = p.slice('kernels-wgsl/'.length).replace(/(?<!shared\/.*)-subgroups\.wgsl$|\.wgsl$/, '');
      const [folder, name] = [key.slice(0, key.lastIndexOf('/')), key.slice(key.lastIndexOf('/') + 1)];
      return (
        !kernels.includes(`include ${key}.wgsl`) &&
        !lib.includes(`'${key}'`) &&
        !(lib.includes(folder) && lib.includes(`${name}`))
      );
    });
    expect(unused).toEqual([]);
  });

  it('stays within 200 lines and has no constants that WGSL may refuse', () => {
    expect(files.filter((p) => read(p).split('\n').length > 200)).toEqual([]);
    expect(files.filter((p) => /\b(inf|nan|infinity)\b\s*\(/i.test(read(p)))).toEqual([]);
  });
});
