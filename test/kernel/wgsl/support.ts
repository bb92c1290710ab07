/** Exports for tests: made in this process, written to a folder that goes away. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { operator } from '../../../lib/index.js';
import { exportOperator, type Exported } from '../../../kernel/wgsl/export.js';
import { openSources, type Sources } from '../../../kernel/wgsl/slice.js';
import type { Describe } from '../../../kernel/wgsl/probe.js';
import type { Launches } from '../../../kernel/wgsl/page/check.js';
import { typeName } from '../../../kernel/wgsl/public-part.js';
import { root } from '../../structure/support.js';

let sources: Sources | undefined;

export function makeExport(id: string, form: string): Promise<Exported> {
  sources ??= openSources(root);
  return exportOperator(sources, { op: operator(id), form, commit: 'of a test' });
}

/** A folder for the files of exports, and what removes it. */
export function temporaryFolder(): { folder: string; remove: () => void } {
  const folder = mkdtempSync(join(tmpdir(), 'assay-wgsl-test-'));
  return { folder, remove: () => rmSync(folder, { recursive: true, force: true }) };
}

/** Writes an export under `folder` and gives its own folder. */
export function writeExport(folder: string, made: Exported): string {
  const own = join(folder, `${made.operator.replaceAll('/', '-')}-${made.form}`);
  mkdirSync(own, { recursive: true });
  for (const [name, text] of made.files) writeFileSync(join(own, name), text);
  return own;
}

/** What a launch.mjs gives. */
export interface LaunchModule {
  create: (device: GPUDevice, options?: object) => Launches;
  describe: Describe;
}

export async function importLaunch(folder: string, id: string): Promise<LaunchModule> {
  const module = (await import(/* @vite-ignore */ pathToFileURL(join(folder, 'launch.mjs')).href)) as Record<
    string,
    unknown
  >;
  const name = typeName(id);
  return {
    create: module[`create${name}`] as LaunchModule['create'],
    describe: module[`describe${name}`] as Describe,
  };
}

/** The WGSL texts of an export, for a launcher that cannot fetch files. */
export function textsOf(made: Exported): Record<string, string> {
  return Object.fromEntries([...made.files].filter(([name]) => name.endsWith('.wgsl')));
}
