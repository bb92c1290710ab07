/** Array sizes of WGSL, and what they say about workgroup memory. */
import { describe, expect, it } from 'vitest';
import { constantValue } from '../../../kernel/wgsl/constants.js';
import { combinations, kernelFile, needsOf, sizeDefines, withSizes } from '../../../kernel/wgsl/kernels.js';

const TEXT = 'const A = 4u;\nconst B: u32 = (A + 2u) * 3u;\nconst C = min(B / 4u, 9u) % 3u;\n';

describe('constant expressions', () => {
  it.each([
    ['16', 16],
    ['A * B', 72],
    ['B - A - 1u', 13],
    ['C', 1],
    ['max(A, B, 2u)', 18],
  ])('%s is %i', (expression, value) => {
    expect(constantValue(expression, TEXT)).toBe(value);
  });

  it('that are not whole numbers are refused', () => {
    expect(() => constantValue('D', TEXT)).toThrow(/array sizes must be whole numbers/);
    expect(() => constantValue('A +', TEXT)).toThrow(/array sizes must be whole numbers/);
  });
});

describe('kernel files', () => {
  it('take other sizes, and ask for the memory of the largest', () => {
    const file = kernelFile('families/softmax-attention/forward', {});
    const [name] = Object.keys(sizeDefines(file.kernel));
    expect(withSizes(file.text, { [name]: '16u' })).toContain(`const ${name} = 16u;`);
    expect(needsOf(file)).toMatchObject({ workgroup: [16, 16, 1], storageBuffers: 6 });
  });

  it('are named after kernel and element types', () => {
    expect(kernelFile('ops/norm/forward', { F: 'f16' }).file).toBe('norm-forward.f16.wgsl');
    expect(kernelFile('ops/norm/forward', { F: 'f16' }).text).toMatch(/^enable f16;/);
    expect(combinations({ F: ['f32', 'f16'], O: ['f32'] })).toHaveLength(2);
  });
});
