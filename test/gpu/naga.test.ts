/** A second compiler: naga parses and validates every kernel in every element type and tested size, where it is installed. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { kernelNames, kernelSource } from '../../lib/gpu/index.js';
import { combinations, kernelFile, sizeDefines, typeDefines, withSizes } from '../../kernel/wgsl/kernels.js';
import { read } from '../structure/support.js';

const version = spawnSync('naga', ['--version'], { encoding: 'utf8' });
const missing = version.status === 0 ? '' : 'naga is not installed';

/** Files that docs/kernels.md lists as compiled by Tint alone. */
function tintOnly(): string[] {
  const section = /## Tint only\n([\s\S]*?)(?=\n## |$)/.exec(read('docs/kernels.md'))![1];
  return [...section.matchAll(/^- `([^`]+)`/gm)].map((m) => m[1]);
}

describe.skipIf(missing !== '')(`every WGSL file in naga ${missing}`, () => {
  it('is valid, but for those that the page names', () => {
    const folder = mkdtempSync(join(tmpdir(), 'assay-naga-'));
    const invalid = new Map<string, string>();
    const beyond: string[] = [];
    let checked = 0;
    try {
      for (const kernel of kernelNames()) {
        const types = Object.keys(typeDefines(kernel)).map((k) => [k, kernelSource(kernel).defines[k]]);
        for (const defines of combinations(Object.fromEntries(types) as Record<string, string[]>)) {
          const { file, text } = kernelFile(kernel, defines);
          for (const sizes of combinations(sizeDefines(kernel))) {
            const path = join(folder, file);
            const messages = (code: string) => {
              writeFileSync(path, code);
              const { status, stdout, stderr } = spawnSync('naga', [path], { encoding: 'utf8' });
              return status === 0 ? '' : stdout + stderr;
            };
            const whole = withSizes(text, sizes);
            const wrong = messages(whole);
            if (wrong) invalid.set(file, wrong);
            // Where only the directive is unknown to naga, it still validates everything below it.
            if (wrong && whole.includes('enable subgroups;'))
              beyond.push(messages(whole.replace('enable subgroups;', '')));
            checked++;
          }
        }
      }
    } finally {
      rmSync(folder, { recursive: true });
    }
    expect([...invalid.keys()].sort(), [...invalid.values()].join('\n')).toEqual(tintOnly().sort());
    expect(beyond.filter((m) => m !== '')).toEqual([]);
    expect(checked).toBeGreaterThan(100);
  }, 240_000);
});
