import { MessageChannel } from 'node:worker_threads';
import { describe, expect, it } from 'vitest';
import { formatValue } from '../../../kernel/display/index.js';
import { tensor } from '../../../lib/tensor/tensor.js';

async function both(value: unknown, options = {}): Promise<{ text: string; html: string }> {
  const { data } = await formatValue(value, options);
  return { text: data['text/plain'] as string, html: data['text/html'] as string };
}

describe('tensors', () => {
  it('show shape, dtype, device, elements and statistics', async () => {
    const { text, html } = await both(tensor([[1, 2, 3], [4, 5, -0]])); // prettier-ignore
    expect(text).toBe(
      [
        'Tensor f32 [2, 3], on host, 24 bytes, from tensor',
        '  1  2   3',
        '  4  5  -0',
        'min -0  max 5  mean 2.5  std 1.70783  zeros 1 (16.7 %)',
      ].join('\n'),
    );
    expect(html).toContain('f32 [2, 3]');
    expect(html).toContain('<svg');
  });

  it('show every dtype, half precision widened', async () => {
    for (const dtype of ['f16', 'f32', 'f64', 'i32', 'u32'] as const)
      expect((await both(tensor([1, 2, 3], { dtype }))).text).toContain(`${dtype} [3], on host`);
    expect((await both(tensor([0.1, 70], { dtype: 'f16' }))).text).toContain('[0.099976, 70]');
  });

  it('show a scalar, an empty tensor and the first of many matrices', async () => {
    expect((await both(tensor(3.5))).text).toContain('[3.5]');
    const empty = await both(tensor([], { shape: [0, 3] }));
    expect(empty.text).toContain('no elements');
    expect(empty.html).not.toContain('<svg');
    const many = await both(
      tensor(
        Float32Array.from({ length: 24 }, (_, i) => i),
        { shape: [2, 3, 2, 2] },
      ),
    );
    expect(many.text).toContain('[0, 0, :, :], the first of 6 matrices\n  0  1\n  2  3');
    expect(many.text).toContain('max 23');
  });

  it('that are disposed say so', async () => {
    const gone = tensor([1, 2]);
    gone.dispose();
    expect((await both(gone)).text).toBe('Tensor f32 [2], from tensor: disposed');
  });

  it('of another copy of the library are read before the promise resolves', async () => {
    let read = false;
    const foreign = {
      [Symbol.for('assay.tensor')]: true,
      shape: [2],
      dtype: 'f32',
      size: 2,
      disposed: false,
      device: 'gpu',
      origin: 'matmul',
      alive: () => undefined,
      data: async () => {
        await new Promise((done) => setTimeout(done, 20));
        read = true;
        return Float32Array.of(7, 8);
      },
    };
    const { text } = await both(foreign);
    expect(read).toBe(true);
    expect(text).toContain('Tensor f32 [2], on gpu, 8 bytes, from matmul\n[7, 8]');
  });

  it('whose device is gone show their text and the reason', async () => {
    const broken = {
      [Symbol.for('assay.tensor')]: true,
      shape: [2],
      dtype: 'f32',
      size: 2,
      disposed: false,
      device: 'gpu',
      origin: 'x',
      alive: () => undefined,
      data: () => Promise.reject(new Error('the device was lost')),
    };
    expect((await both(broken)).text).toContain(
      '(it could not be shown in full: Error: the device was lost)',
    );
  });
});

describe('typed arrays and memory', () => {
  it('count what is not finite, in a colour that warns', async () => {
    const { text, html } = await both(Float32Array.of(1, NaN, Infinity, -Infinity));
    expect(text).toContain('NaN 1 (25 %)  +Infinity 1  -Infinity 1');
    expect(text).toContain('min, max, mean and std are of the finite elements');
    expect(html).toContain('class="l w">NaN');
    expect((await both(new Float64Array(3).fill(NaN))).text).toContain('no finite element');
  });

  it('show a corner with ellipses and stay small, whatever their size', async () => {
    const noisy = Float32Array.from({ length: 500_000 }, (_, i) => Math.sin(i * i));
    const { text, html } = await both(noisy);
    expect(text.split('\n')[1].match(/…/g)).toHaveLength(1);
    expect(html.length).toBeLessThan(12_000);
    const matrix = await both(tensor(noisy.subarray(0, 250_000), { shape: [500, 500] }));
    expect(matrix.html.length).toBeLessThan(32_000);
    expect(matrix.html).toContain('averaged over blocks');
  });

  it('show 64-bit integers whole, and the named subclass', async () => {
    expect((await both(BigInt64Array.of(2n ** 62n, -1n))).text).toContain('[4611686018427387904, -1]');
    expect((await both(Buffer.from('hi'))).text).toContain('Buffer u8 [2], 2 bytes\n[104, 105]');
  });

  it('say when statistics are of the first elements only', async () => {
    const { text } = await both(
      Float32Array.from({ length: 100 }, (_, i) => i),
      { statistics: 10 },
    );
    expect(text).toContain('Float32Array f32 [100]');
    expect(text).toContain('statistics and pictures of the first 10 elements');
    expect(text).toContain('max 9');
  });

  it('dump raw memory and escape it', async () => {
    const { text, html } = await both(new TextEncoder().encode('<b>&').buffer);
    expect(text).toMatch(/^ArrayBuffer 4 bytes\n0000 {2}3c 62 3e 26 +<b>&$/);
    expect(html).toContain('&lt;b&gt;&amp;');
    expect((await both(new DataView(new ArrayBuffer(3), 1))).text).toContain('DataView 2 bytes');
    expect((await both(new ArrayBuffer(0))).text).toBe('ArrayBuffer 0 bytes');
  });

  it('whose memory was transferred away say so', async () => {
    const array = new Float32Array(8);
    const { port1, port2 } = new MessageChannel();
    port1.postMessage(array, [array.buffer]);
    expect((await both(array)).text).toBe('Float32Array f32: its memory was transferred away (detached)');
    expect((await both(array.buffer)).text).toContain('detached');
    port1.close();
    port2.close();
  });

  it('carry no scripts and no colours that fit one theme only', async () => {
    const { html } = await both(new Float32Array(100));
    expect(html).not.toMatch(/<script|javascript:|on\w+=/);
    expect(html).toContain('var(--jp-content-font-color1,currentColor)');
  });
});
