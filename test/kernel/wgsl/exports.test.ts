/** Every operator with WGSL kernels can be taken home in every form. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { closeGpu, openGpu, operator, operators, Random } from '../../../lib/index.js';
import type { Form } from '../../../lib/tensor/backend.js';
import { casesOf } from '../../../lib/tensor/cases.js';
import { gpuForms, type Exported } from '../../../kernel/wgsl/export.js';
import { attempt, shapesOf } from '../../../kernel/wgsl/probe.js';
import { subgroupKernel } from '../../../lib/gpu/source.js';
import { read, root } from '../../structure/support.js';
import { importLaunch, makeExport, temporaryFolder, writeExport } from './support.js';

const MANY = 600_000;
const { folder, remove } = temporaryFolder();
const made: { exported: Exported; own: string }[] = [];

beforeAll(async () => {
  for (const { record } of operators())
    for (const form of gpuForms(record)) {
      const exported = await makeExport(record.id, form);
      made.push({ exported, own: writeExport(folder, exported) });
    }
}, MANY);

afterAll(() => {
  closeGpu();
  remove();
});

describe('an export of every operator in every form with WGSL', () => {
  it('holds kernels, launch code, vectors, a page and a licence, in less than a megabyte', () => {
    expect(made.length).toBeGreaterThanOrEqual(operators().length);
    expect(read('docs/kernels.md')).toContain(`${made.length} pairs of operator and form`);
    const wanted = [
      'LICENSE',
      'README.md',
      'check.html',
      'check.mjs',
      'launch.mjs',
      'launch.ts',
      'vectors.json',
    ];
    for (const { exported } of made) {
      const label = `${exported.operator} ${exported.form}`;
      expect([...exported.files.keys()], label).toEqual(expect.arrayContaining(wanted));
      expect(exported.vectors, label).toBeGreaterThan(0);
      const bytes = [...exported.files.values()].reduce((sum, text) => sum + text.length, 0);
      expect(bytes, label).toBeLessThan(2 ** 20);
    }
  });

  it('keeps to the default limits of WebGPU', () => {
    expect(made.flatMap(({ exported }) => exported.beyond)).toEqual([]);
  });

  it('holds a file with subgroups beside each kernel that has one, and says when it is taken', () => {
    let found = 0;
    for (const { exported } of made) {
      const files = new Map(exported.kernels.map((k) => [k.file, k]));
      const own = exported.kernels.filter((k) => k.kernel.endsWith('-subgroups'));
      for (const k of exported.kernels.filter((f) => subgroupKernel(f.kernel))) {
        const variant = files.get(k.file.replace('.wgsl', '.subgroups.wgsl'))!;
        expect(variant.features).toEqual([...k.features, 'subgroups']);
        expect(variant.text).toMatch(/^enable subgroups;$/m);
        found++;
      }
      const page = exported.files.get('README.md')!;
      expect(page.includes('`{ subgroups: false }`'), exported.operator).toBe(own.length > 0);
      for (const k of own) expect(page).toContain(`\`${k.file}\``);
    }
    expect(found).toBeGreaterThanOrEqual(10);
  });

  it('takes operators within in the form that is asked for', () => {
    const decay = (form: string) => {
      const found = made.find(({ exported: e }) => e.operator === 'retention' && e.form === form)!;
      const own = found.exported.kernels.filter((k) => k.kernel.startsWith('ops/scalar-decay/'));
      return new Set(own.map((k) => k.kernel.split('/')[2]));
    };
    expect(decay('chunk').has('mix')).toBe(true);
    expect(decay('chunk').has('recurrent')).toBe(false);
    expect(decay('recurrent').has('recurrent')).toBe(true);
    expect(decay('step').has('recurrent')).toBe(true);
    expect(decay('parallel').size).toBe(0);
  });

  it('names licence, operator, sources and commit in every WGSL and launch file', () => {
    for (const { exported } of made)
      for (const [name, text] of exported.files) {
        if (!/^launch|wgsl$/.test(name)) continue;
        const opening = text.slice(0, 1000);
        expect(opening, name).toContain(exported.operator);
        expect(opening, name).toContain('commit of a test');
        expect(opening, name).toContain('SPDX-License-Identifier: MIT');
        expect(opening, name).toContain(operator(exported.operator).record.sources[0]);
      }
  });

  it(
    'type-checks as strict TypeScript with the types of WebGPU and nothing else',
    () => {
      const options: ts.CompilerOptions = {
        strict: true,
        noEmit: true,
        target: ts.ScriptTarget.ES2022,
        module: ts.ModuleKind.ESNext,
        moduleResolution: ts.ModuleResolutionKind.Bundler,
        lib: ['lib.es2022.d.ts', 'lib.dom.d.ts', 'lib.dom.iterable.d.ts'],
        types: [],
        skipLibCheck: true,
        noUnusedLocals: true,
        noUnusedParameters: true,
        erasableSyntaxOnly: true,
        verbatimModuleSyntax: true,
      };
      const files = made.map(({ own }) => join(own, 'launch.ts'));
      // The lines of the page, as a web developer would compile them.
      const lines = /```ts\n(import { createSelectiveScan }[\s\S]*?)```/.exec(read('docs/kernels.md'))![1];
      const page = join(folder, 'lines.ts');
      writeFileSync(
        page,
        lines.replace('./scan/launch', './selective-scan-chunk/launch') + 'console.log(y, finalState);\n',
      );
      const program = ts.createProgram(
        [join(root, 'node_modules/@webgpu/types/dist/index.d.ts'), page, ...files],
        options,
      );
      const messages = ts
        .getPreEmitDiagnostics(program)
        .map((d) => `${d.file?.fileName}: ${ts.flattenDiagnosticMessageText(d.messageText, '\n')}`);
      expect(messages).toEqual([]);
      for (const file of files)
        expect(program.getSourceFile(file)!.statements.filter(ts.isImportDeclaration)).toEqual([]);
    },
    MANY,
  );

  it(
    'holds every kernel variant that calls of other sizes ask for',
    async () => {
      const random = new Random(11);
      const sizes = [2, 3, 9, 17, 33, 65, 129, 257, 700];
      const pick = () => sizes[Math.floor(random.uniform() * sizes.length)];
      let planned = 0;
      for (const { exported, own } of made) {
        const { describe: plan } = await importLaunch(own, exported.operator);
        const { record } = operator(exported.operator);
        for (const c of casesOf(record, exported.form as Form))
          for (const dtype of exported.dtypes) {
            const drawn = Object.fromEntries(Object.keys(c.dims).map((letter) => [letter, pick()]));
            for (const changed of [
              drawn,
              ...Object.keys(drawn).map((letter) => ({ [letter]: drawn[letter] })),
            ])
              for (const options of [
                { dtype, features: ['subgroups'] },
                { dtype, gradients: 'all' as const },
              ]) {
                const info = attempt(() => plan(shapesOf(record, c, changed), c.params, options));
                if (!info) continue;
                planned++;
                for (const step of [...info.forward, ...info.backward])
                  expect(exported.files.has(step.file), `${own}: ${step.variant}`).toBe(true);
              }
          }
      }
      expect(planned).toBeGreaterThan(1000);
    },
    MANY,
  );
});

const opened = await openGpu({ adapter: 'null' }).then(
  (context) => ({ context, reason: '' }),
  (error: unknown) => ({ context: undefined, reason: String(error) }),
);

describe.skipIf(!opened.context)(`the WGSL files of all exports ${opened.reason}`, () => {
  it(
    'each compile alone, without a message',
    async () => {
      const { device } = opened.context!;
      const texts = new Map<string, string>();
      for (const { exported } of made)
        for (const k of exported.kernels)
          texts.set(exported.files.get(k.file)!.replace(/^\/\/.*$/gm, ''), k.file);
      const messages: string[] = [];
      for (const [code, file] of texts) {
        const info = await device.createShaderModule({ code }).getCompilationInfo();
        for (const m of info.messages) messages.push(`${file}:${m.lineNum}: ${m.message}`);
      }
      expect(messages).toEqual([]);
      expect(texts.size).toBeGreaterThan(60);
    },
    MANY,
  );
});
