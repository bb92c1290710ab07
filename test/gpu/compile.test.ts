/** Tier null: every kernel in every variant compiles without a message. Runs alone in its process. */
import { afterAll, describe, expect, it } from 'vitest';
import {
  closeGpu,
  kernelNames,
  kernelSource,
  kernelText,
  kernelVariants,
  openGpu,
  REQUIRED_LIMITS,
} from '../../lib/gpu/index.js';

const opened = await openGpu({ adapter: 'null', subgroups: false }).then(
  (context) => ({ context, reason: '' }),
  (error: unknown) => ({ context: undefined, reason: String(error) }),
);
afterAll(() => closeGpu());

describe.skipIf(!opened.context)(`every WGSL file ${opened.reason}`, () => {
  const context = opened.context!;

  it('stands in the f32 variant as it is, and every variant compiles without a message', async () => {
    const messages: string[] = [];
    let compiled = 0;
    for (const { name, defs, features } of kernelVariants()) {
      const label = `${name} ${JSON.stringify(defs)}`;
      if (!features.every((f) => context.features.has(f))) {
        messages.push(`${label}: the null adapter lacks ${features.join(', ')}`);
        continue;
      }
      context.device.pushErrorScope('validation');
      const module = context.device.createShaderModule({ label, code: kernelText(name, defs) });
      const info = await module.getCompilationInfo();
      for (const m of info.messages) messages.push(`${label}:${m.lineNum}: ${m.type} ${m.message}`);
      context.pipelines.prepare(name, defs, {});
      const error = await context.device.popErrorScope();
      if (error) messages.push(`${label}: ${error.message}`);
      compiled++;
    }
    await context.settle().catch((e: unknown) => messages.push(String(e)));
    expect(messages).toEqual([]);
    expect(compiled).toBeGreaterThan(kernelNames().length);
  }, 120_000);

  it.each(kernelNames())('%s keeps to the default limits and the house rules', (name) => {
    const { text, bindings } = kernelSource(name);
    expect(bindings.filter((b) => b.kind !== 'uniform').length).toBeLessThanOrEqual(
      REQUIRED_LIMITS.maxStorageBuffersPerShaderStage,
    );
    expect(text.match(/@compute/g)).toHaveLength(1);
    expect(text).not.toMatch(/\b(inf|nan)\b|atomic[A-Z<]/);
    const bare = text.split('\n').filter((l) => l.includes('var<storage') && !l.includes('// ['));
    expect(bare).toEqual([]);
    expect(text.split('\n').length).toBeLessThanOrEqual(240);
    const size = /@workgroup_size\((\d+)(?:, (\d+))?\)/.exec(text)!;
    expect(Number(size[1]) * Number(size[2] ?? 1)).toBeLessThanOrEqual(256);
  });
});
