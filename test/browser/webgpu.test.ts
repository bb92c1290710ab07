/** The WGSL kernels on a browser's own WebGPU: a few records, forward and backward, against the f64 reference. */
import { describe, expect, it } from 'vitest';
import { chromiumPath, runInChromium } from './chromium.js';

const RECORDS = ['ops/matmul', 'ops/softmax', 'selective-scan', 'softmax-attention'];
/** SwiftShader stands in where the machine has no GPU. */
const FLAGS = ['--enable-unsafe-webgpu', '--use-webgpu-adapter=swiftshader', '--enable-features=Vulkan'];

interface Result {
  adapter: string | null;
  compared: number;
  failed: string[];
}

const code = `
  import { conform, openGpu, operator, useBackend } from './lib/index.ts';
  export async function main() {
    if (!navigator.gpu || !(await navigator.gpu.requestAdapter())) return { adapter: null, compared: 0, failed: [] };
    await useBackend('webgpu');
    const { info } = await openGpu();
    let compared = 0;
    const failed = [];
    for (const id of ${JSON.stringify(RECORDS)}) {
      const op = operator(id);
      const form = Object.keys(op.record.forms).find((f) => f !== 'step' && op.record.forms[f].webgpu);
      for (const c of op.record.cases.slice(0, 3))
        for (const r of await conform(op, c, form, 'webgpu')) { compared++; if (!r.ok) failed.push(r.text); }
    }
    return { adapter: [info.vendor, info.architecture, info.description].join(' '), compared, failed };
  }`;

describe('WebGPU in Chromium', () => {
  it.runIf(chromiumPath)('gives the values of the reference', async (context) => {
    const result = await runInChromium<Result>(code, FLAGS);
    if (result.adapter === null) return context.skip('this Chromium offers no WebGPU adapter');
    expect(result.failed).toEqual([]);
    expect(result.compared).toBeGreaterThan(20);
  });
});
