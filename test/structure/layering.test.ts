/** The layers of docs/architecture: imports go downwards only. */
import { posix } from 'node:path';
import { describe, expect, it } from 'vitest';
import { importsOf, projectFiles, read } from './support.js';

/** Layer of each folder of lib/; equal layers do not import each other unless they are the same folder. */
const LAYERS: Record<string, number> = {
  generated: 0,
  core: 0,
  tensor: 1,
  cpu: 2,
  gpu: 2,
  ops: 3,
  families: 4,
  nn: 5,
  tasks: 5,
  cost: 5,
  papers: 6,
  report: 7,
};
/** Pairs of one layer that may meet: training saves through the file helpers of tasks, and costs count models. */
const SIBLINGS = new Set(['nn>tasks', 'cost>nn', 'core>generated', 'tensor>generated']);

const sources = projectFiles().filter(
  (p) => p.startsWith('lib/') && p.endsWith('.ts') && !p.includes('/assembly/'),
);

describe('lib', () => {
  it('has only the folders whose layer is written down', () => {
    const folders = new Set(sources.map((p) => p.split('/')[1]).filter((name) => !name.endsWith('.ts')));
    expect([...folders].filter((f) => !(f in LAYERS))).toEqual([]);
  });

  it('imports downwards only', () => {
    const wrong: string[] = [];
    for (const path of sources) {
      const from = path.split('/')[1];
      if (!(from in LAYERS)) continue;
      for (const specifier of importsOf(read(path)).filter((s) => s.startsWith('.'))) {
        const [top, to] = posix.normalize(posix.join(posix.dirname(path), specifier)).split('/');
        if (top === 'datasets' && from === 'tasks') continue;
        const up = top !== 'lib' || !(to in LAYERS) || LAYERS[to] > LAYERS[from];
        const sideways = to !== from && LAYERS[to] === LAYERS[from] && !SIBLINGS.has(`${from}>${to}`);
        if (up || sideways) wrong.push(`${path} imports ${specifier}`);
      }
    }
    expect(wrong).toEqual([]);
  });

  it('has families that never import each other', () => {
    const wrong = sources
      .filter((p) => p.split('/').length > 3 && p.startsWith('lib/families/'))
      .flatMap((path) =>
        importsOf(read(path))
          .filter((s) => {
            // A family may have folders of its own.
            const [, layer, family] = posix.normalize(posix.join(posix.dirname(path), s)).split('/');
            return s.startsWith('.') && layer === 'families' && family !== path.split('/')[2];
          })
          .map((s) => `${path} imports ${s}`),
      );
    expect(wrong).toEqual([]);
  });

  it('imports node: modules only where files and the device are', () => {
    const allowed = new Set(['lib/gpu/node.ts', 'lib/tasks/files.ts', 'lib/nn/checkpoint-files.ts']);
    const wrong = sources.filter(
      (p) => !allowed.has(p) && importsOf(read(p)).some((s) => s.startsWith('node:')),
    );
    expect(wrong).toEqual([]);
  });

  it('has references that import nothing from kernels: no cpu, no gpu, no other form', () => {
    const references = sources.filter((p) => p.endsWith('/reference.ts'));
    expect(references.length).toBeGreaterThan(5);
    const wrong = references.flatMap((p) =>
      importsOf(read(p))
        .filter((s) => /\/(cpu|gpu)\/|\/(wasm|gpu|forms)\.js$/.test(s))
        .map((s) => `${p} imports ${s}`),
    );
    expect(wrong).toEqual([]);
  });
});
