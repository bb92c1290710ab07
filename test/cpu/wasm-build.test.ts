import { describe, expect, test } from 'vitest';
import { wasmBase64 } from '../../lib/generated/wasm-kernels.js';
import { wgsl } from '../../lib/generated/wgsl.js';
import { wasmModule } from '../../lib/cpu/wasm/module.js';

interface Signature {
  parameters: string[];
  result: string;
}
interface Builders {
  readSignatures: (sources: string[]) => Map<string, Signature>;
  renderModule: (wasm: Uint8Array, signatures: Map<string, Signature>) => string;
  renderWgsl: (texts: Record<string, string>) => string;
}
/** The build scripts are plain JavaScript without declarations. */
const load = async (name: string) => (await import(`../../kernel/build/${name}.mjs`)) as Builders;
const { readSignatures, renderModule } = await load('wasm');
const { renderWgsl } = await load('wgsl');

describe('generated modules', () => {
  test('signatures are read from sources over several lines', () => {
    const found = readSignatures([
      'export function one(start: i32, end: i32,\n  x: usize,\n): void {\n}\nfunction hidden(a: i32): void {}\nexport function two(n: i32): f64 {}',
    ]);
    expect([...found.keys()]).toEqual(['one', 'two']);
    expect(found.get('one')).toEqual({ parameters: ['start', 'end', 'x'], result: 'void' });
    expect(found.get('two')?.result).toBe('number');
    const text = renderModule(new Uint8Array([1, 2, 3]), found);
    expect(text).toContain('one(start: number, end: number, x: number): void;');
    expect(text).toContain("| 'one';");
    expect(text).toContain("'AQID'");
  });

  test('WGSL texts survive embedding, quotes and line breaks included', () => {
    const text = 'fn f() {\n  // "quoted" `ticks` ${x}\n}\n';
    const module = renderWgsl({ 'shared/a': text });
    expect(
      JSON.parse(module.slice(module.indexOf('{'), module.lastIndexOf('}') + 1).replace(/,\s*}$/, '}')),
    ).toEqual({ 'shared/a': text });
    expect(renderWgsl({})).toContain('= {};');
    expect(Object.values(wgsl).every((source) => typeof source === 'string')).toBe(true);
  });

  test('the WASM module imports only memory and abort and carries no data of its own', () => {
    const imports = WebAssembly.Module.imports(wasmModule()).map(({ module, name }) => `${module}.${name}`);
    for (const name of imports) expect(['env.memory', 'env.abort']).toContain(name);
    const bytes = Buffer.from(wasmBase64, 'base64');
    const sections: number[] = [];
    for (let at = 8; at < bytes.length;) {
      sections.push(bytes[at++]);
      let size = 0;
      for (let shift = 0; ; shift += 7) {
        const byte = bytes[at++];
        size |= (byte & 127) << shift;
        if (byte < 128) break;
      }
      at += size;
    }
    expect(sections).not.toContain(11);
  });
});
