#!/usr/bin/env node
// Builds what is generated: WASM kernels and WGSL texts as TypeScript modules, then dist/ with tsc.
// `--lib-only` stops before tsc (tests run from sources); `--force` ignores the recorded hashes.
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { hashFiles, listFiles, readStamps, writeStamp } from './build/inputs.mjs';
import { buildWasm } from './build/wasm.mjs';
import { buildWgsl } from './build/wgsl.mjs';
import { buildCodeCache, buildEraser } from './build/compiler.mjs';
import { buildDist } from './build/dist.mjs';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');

/** The parts in order: their inputs, the file that proves they were built, and how to build them. */
export const parts = [
  {
    name: 'wasm',
    inputs: () => [
      ...listFiles(join(root, 'lib/cpu/wasm/assembly'), '.ts'),
      join(root, 'kernel/build/wasm.mjs'),
      join(root, 'node_modules/assemblyscript/package.json'),
    ],
    output: join(root, 'lib/generated/wasm-kernels.ts'),
    build: buildWasm,
  },
  {
    name: 'wgsl',
    inputs: () => [...listFiles(join(root, 'kernels-wgsl'), '.wgsl'), join(root, 'kernel/build/wgsl.mjs')],
    output: join(root, 'lib/generated/wgsl.ts'),
    build: buildWgsl,
  },
  {
    name: 'eraser',
    inputs: () => [
      join(root, 'kernel/build/compiler.mjs'),
      join(root, 'node_modules/ts-blank-space/package.json'),
      join(root, 'node_modules/esbuild/package.json'),
    ],
    output: join(root, 'dist/compiler/ts-blank-space.mjs'),
    build: buildEraser,
  },
  {
    name: 'dist',
    inputs: () => [
      ...['lib', 'kernel'].flatMap((folder) => listFiles(join(root, folder), '.ts')),
      join(root, 'kernel/build/dist.mjs'),
      join(root, 'package.json'),
      join(root, 'tsconfig.json'),
      join(root, 'tsconfig.build.json'),
    ],
    output: join(root, 'dist/lib'),
    build: buildDist,
  },
  {
    name: 'code-cache',
    // V8 takes a cache only from the Node that made it.
    label: process.version + process.arch,
    inputs: () => [
      join(root, 'kernel/build/compiler.mjs'),
      join(root, 'kernel/types/typescript.mjs'),
      join(root, 'node_modules/typescript/package.json'),
    ],
    output: join(root, 'dist/compiler/typescript.cache'),
    build: buildCodeCache,
  },
];

/** Builds the parts whose inputs changed. Returns the names of the parts that were built. */
export async function build({ libOnly = false, force = false, log = () => {} } = {}) {
  const built = [];
  for (const part of parts) {
    if (libOnly && ['dist', 'code-cache'].includes(part.name)) continue;
    const hash = hashFiles(root, part.inputs()) + (part.label ?? '');
    if (!force && readStamps(root)[part.name] === hash && existsSync(part.output)) continue;
    const started = Date.now();
    log(`build: ${part.name} ...`);
    await part.build(root);
    writeStamp(root, part.name, hash);
    log(`build: ${part.name} done in ${((Date.now() - started) / 1000).toFixed(1)} s`);
    built.push(part.name);
  }
  return built;
}

if (process.argv[1] && fileURLToPath(import.meta.url) === process.argv[1]) {
  try {
    const built = await build({
      libOnly: process.argv.includes('--lib-only'),
      force: process.argv.includes('--force'),
      log: (line) => process.stderr.write(line + '\n'),
    });
    if (built.length === 0) process.stderr.write('build: up to date\n');
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : error}\n`);
    process.exitCode = 1;
  }
}
