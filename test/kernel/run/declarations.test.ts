import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type * as TypeScript from 'typescript';
import { projectRoot } from '../../../kernel/cli/root.js';

const root = projectRoot();
const tslab = join(root, '.assay', 'tslab');
const installed = existsSync(join(tslab, 'node_modules', 'tslab'));

describe.skipIf(!installed)('the library’s declarations (need tslab: `npm test` installs it)', () => {
  it('compile under the compiler of the stock kernel', { timeout: 120_000 }, () => {
    const require = createRequire(join(tslab, 'package.json'));
    const ts = require('@tslab/typescript-for-tslab') as typeof TypeScript;
    expect(ts.version).toMatch(/^5\.0\./);
    const program = ts.createProgram([join(root, 'dist', 'lib', 'index.d.ts')], {
      moduleResolution: ts.ModuleResolutionKind.Node10,
      module: ts.ModuleKind.ESNext,
      target: ts.ScriptTarget.ES2022,
      lib: ['lib.es2022.d.ts', 'lib.dom.d.ts', 'lib.dom.iterable.d.ts'],
      types: ['@webgpu/types'],
      typeRoots: [join(root, 'node_modules')],
      strict: true,
      noEmit: true,
    });
    const own = program.getSourceFiles().filter((file) => file.fileName.includes('/dist/lib/'));
    expect(own.length).toBeGreaterThan(1);
    const errors = own
      .flatMap((file) => [...program.getSyntacticDiagnostics(file), ...program.getSemanticDiagnostics(file)])
      .map((error) => `${error.file?.fileName}: ${ts.flattenDiagnosticMessageText(error.messageText, ' ')}`);
    expect(errors).toEqual([]);
  });
});
