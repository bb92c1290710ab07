import { describe, expect, it } from 'vitest';
import {
  add,
  broadcastTo,
  cast,
  concat,
  crossEntropy,
  defineOperator,
  full,
  gather,
  isTensor,
  keep,
  matmul,
  memory,
  mul,
  openBackend,
  operator,
  reshape,
  scope,
  selectiveScan,
  slice,
  softmaxAttention,
  tensor,
  withBackend,
  zeros,
  type Tensor,
} from '../../lib/index.js';

describe('tensor', () => {
  it('infers the shape of nested arrays and the dtype of typed arrays', () => {
    expect(
      tensor([
        [1, 2, 3],
        [4, 5, 6],
      ]).shape,
    ).toEqual([2, 3]);
    expect(tensor(Int32Array.of(1, 2)).dtype).toBe('i32');
    expect(tensor(new Float64Array(2)).dtype).toBe('f64');
  });

  it('names the argument, the condition and the value when data do not fit', () => {
    expect(() => tensor([1, 2, 3], { shape: [2, 2] })).toThrow(
      'tensor: data must have 4 elements for shape [2, 2], got 3',
    );
    expect(() => tensor([[1, 2], [3]])).toThrow('tensor: data must be rectangular');
    expect(() => tensor([1.5], { dtype: 'i32' })).toThrow('tensor: data must be integers');
    expect(() => tensor([1], { dtype: 'f8' as never })).toThrow('dtype must be one of');
    expect(() => full([-1], 0)).toThrow('full: shape must be an array of non-negative integers');
    expect(() => tensor('x' as never)).toThrow('tensor: data must be numbers');
  });

  it('is recognised by a brand, so that two copies of the library work together', () => {
    expect(isTensor(tensor([1]))).toBe(true);
    expect(isTensor({ shape: [1] })).toBe(false);
  });

  it('reads back a plain copy that later work cannot change', async () => {
    const t = tensor([1, 2]);
    const copy = await t.data();
    (t.dataSync() as Float32Array)[0] = 9;
    expect(copy[0]).toBe(1);
    expect(copy.buffer).toBeInstanceOf(ArrayBuffer);
  });

  it('keeps f16 as storage and widens it on reading', async () => {
    const half = cast(tensor([1, 0.1, 65504]), 'f16');
    expect(half.dtype).toBe('f16');
    expect(Array.from(await half.data())).toEqual([1, 0.0999755859375, 65504]);
    expect(() => mul(half, half)).toThrow('ops/mul: a must be f32 or f64, got f16');
  });

  it('throws with its maker after dispose, and dispose may be called twice', () => {
    const t = add(tensor([1]), tensor([2]));
    t.dispose();
    t.dispose();
    expect(() => t.dataSync()).toThrow(
      'dataSync: tensor must not be disposed, got ops/add [1] after dispose',
    );
    expect(() => mul(t, t)).toThrow('ops/mul: tensor must not be disposed');
  });

  it('prints without being consumed', () => {
    const t = tensor([1, 2, 3]);
    expect(String(t)).toContain('f32[3]');
    expect(t.disposed).toBe(false);
  });
});

describe('scope', () => {
  it('disposes what is made inside except what is returned or kept', () => {
    let inner: Tensor | undefined;
    let kept: Tensor | undefined;
    const out = scope(() => {
      inner = tensor([1]);
      kept = keep(tensor([2]));
      return { a: [tensor([3])], note: 'text' };
    });
    expect(inner!.disposed).toBe(true);
    expect(kept!.disposed).toBe(false);
    expect(out.a[0].disposed).toBe(false);
  });

  it('passes survivors of an inner scope to the outer one', () => {
    let survivor: Tensor | undefined;
    scope(() => {
      survivor = scope(() => tensor([1]));
    });
    expect(survivor!.disposed).toBe(true);
  });

  it('frees everything when the function throws', () => {
    let made: Tensor | undefined;
    expect(() =>
      scope(() => {
        made = tensor([1]);
        throw new Error('stop');
      }),
    ).toThrow('stop');
    expect(made!.disposed).toBe(true);
  });

  it('refuses a function that returns a promise', () => {
    expect(() => scope(async () => Promise.resolve(1))).toThrow('scope: fn must be synchronous');
  });

  it('shows live tensors by maker in the memory table', () => {
    const t = softmaxAttention(zeros([1, 2, 1, 4]), zeros([1, 2, 1, 4]), zeros([1, 2, 1, 4]));
    expect(memory().rows.find((r) => r.origin === 'softmax-attention')?.tensors).toBeGreaterThanOrEqual(1);
    expect(memory().toString()).toContain('softmax-attention');
    t.dispose();
  });
});

describe('operators check their input once and say what is wrong', () => {
  const bad: [string, () => unknown, string][] = [
    [
      'inner sizes',
      () => matmul(zeros([2, 3]), zeros([4, 5])),
      'matmul: inner sizes must agree (3 and 4), got a [2, 3] and b [4, 5]',
    ],
    ['ranks', () => matmul(zeros([3]), zeros([3, 1])), 'matmul: a and b must have at least two axes'],
    [
      'broadcast',
      () => add(zeros([2, 3]), zeros([2, 4])),
      'add: shapes must broadcast, got [2, 3] and [2, 4]',
    ],
    ['stretch', () => broadcastTo(zeros([2]), [3]), 'broadcastTo: shapes must broadcast'],
    [
      'reshape',
      () => reshape(zeros([2, 3]), [4]),
      'reshape: shape must hold 6 elements like [2, 3], got [4]',
    ],
    ['slice', () => slice(zeros([4]), 0, 3, 9), 'slice: start and end must satisfy 0 <= start <= end <= 4'],
    ['concat', () => concat([zeros([2, 2]), zeros([2, 3])], 0), 'concat: parts must agree'],
    [
      'ids',
      () => gather(zeros([4, 2]), tensor([4], { dtype: 'i32' })),
      'ops/gather: ids must lie in [0, 4), got 4 at 0',
    ],
    ['ids dtype', () => gather(zeros([4, 2]), tensor([1])), 'ops/gather: ids must be i32, got f32'],
    [
      'targets',
      () => crossEntropy(zeros([1, 3]), tensor([-1], { dtype: 'i32' })),
      'targets must lie in [0, 3), got -1',
    ],
    [
      'mixed floats',
      () => add(zeros([1]), zeros([1], { dtype: 'f64' })),
      'ops/add: b must be f64 like the inputs before it'.replace('f64', 'f32'),
    ],
    ['not a tensor', () => add([1] as never, zeros([1])), 'add: a must be a tensor'],
    ['unknown op', () => operator('nope'), 'operator: id must be one of'],
    [
      'unknown param',
      () => operator('ops/matmul')({ a: zeros([1, 1]), b: zeros([1, 1]) }, { transpose: true }),
      'parameters must be among transposeA, transposeB',
    ],
    ['unknown input', () => operator('ops/neg')({ y: zeros([1]) }), 'ops/neg: inputs must be x, got "y"'],
    [
      'no such form',
      () => operator('ops/neg')({ x: zeros([1]) }, {}, { form: 'chunk' }),
      'ops/neg: form and backend must be one of reference/cpu, parallel/wasm, parallel/webgpu',
    ],
  ];
  it.each(bad)('%s', (_, run, message) => {
    expect(run).toThrow(message);
  });

  const scan = (over: Record<string, Tensor>, T = 4) => {
    const base = {
      u: zeros([1, T, 2]),
      delta: zeros([1, T, 2]),
      A: zeros([2, 3]),
      B: zeros([1, T, 1, 3]),
      C: zeros([1, T, 1, 3]),
    };
    return () => selectiveScan({ ...base, ...over });
  };
  const ints = (v: number[]) => tensor(v, { dtype: 'i32' });
  const badScan: [string, () => unknown, string][] = [
    [
      'delta of another length',
      scan({ delta: zeros([1, 5, 2]) }),
      'selective-scan: delta must have shape [B,T,D] with T = 4, got [1, 5, 2]',
    ],
    [
      'B of another rank',
      scan({ B: zeros([1, 4, 3]) }),
      'selective-scan: B must have shape [B,T,G,N] or [D,N], got [1, 4, 3]',
    ],
    [
      'groups that do not divide',
      scan({ B: zeros([1, 4, 3, 3]), C: zeros([1, 4, 3, 3]) }),
      'selective-scan: G must divide D = 2, got G = 3',
    ],
    [
      'cuSeqlens not from 0',
      scan({ cuSeqlens: ints([1, 4]) }),
      'selective-scan: cuSeqlens must start at 0, never fall and end at T = 4, got [1, 4]',
    ],
    ['cuSeqlens falling', scan({ cuSeqlens: ints([0, 3, 2, 4]) }), 'cuSeqlens must start at 0'],
    ['cuSeqlens too short', scan({ cuSeqlens: ints([0, 3]) }), 'cuSeqlens must start at 0'],
    [
      'state of another size',
      scan({ initialState: zeros([1, 2, 5]) }),
      'selective-scan: initialState must have shape',
    ],
    [
      'packed states by sequence',
      scan({ cuSeqlens: ints([0, 2, 4]), initialState: zeros([1, 2, 3]) }),
      'initialState must have one row a sequence (2), got 1',
    ],
  ];
  it.each(badScan)('selective scan: %s', (_, run, message) => {
    expect(run).toThrow(message);
  });

  it('a closed backend says how to open it', async () => {
    expect(() => withBackend('webgpu', () => 1)).toThrow("await openBackend('webgpu')");
    await expect(openBackend('cuda' as never)).rejects.toThrow('name must be one of cpu, wasm, webgpu');
  });

  it('an id can be defined once', () => {
    expect(() => defineOperator(operator('ops/neg').record)).toThrow('defineOperator: id must be new');
  });
});

describe('selective scan at its edges', () => {
  it.each(['cpu', 'wasm'] as const)('returns the initial state for T = 0 on %s', (backend) => {
    const initialState = tensor([
      [
        [1, 2, 3],
        [4, 5, 6],
      ],
    ]);
    const z = (...shape: number[]) => zeros(shape);
    const { y, finalState } = withBackend(backend, () =>
      selectiveScan({
        u: z(1, 0, 2),
        delta: z(1, 0, 2),
        A: z(2, 3),
        B: z(1, 0, 1, 3),
        C: z(1, 0, 1, 3),
        initialState,
      }),
    );
    expect(y.shape).toEqual([1, 0, 2]);
    expect(Array.from(finalState.dataSync())).toEqual([1, 2, 3, 4, 5, 6]);
  });

  it.each(['cpu', 'wasm'] as const)('lets NaN through instead of hiding it on %s', (backend) => {
    const u = tensor([[[NaN], [1]]]);
    const one = full([1, 2, 1], 1);
    const bc = full([1, 2, 1, 1], 1);
    const { y } = withBackend(backend, () =>
      selectiveScan({ u, delta: one, A: tensor([[-1]]), B: bc, C: bc }),
    );
    expect(Array.from(y.dataSync()).every(Number.isNaN)).toBe(true);
  });

  it.each(['cpu', 'wasm'] as const)(
    'gives packed sequences the same bits as one call each on %s',
    (backend) => {
      const draw = (n: number, f: (i: number) => number) => Float32Array.from({ length: n }, (_, i) => f(i));
      const [T, D, N] = [7, 3, 4];
      const u = draw(T * D, (i) => Math.sin(i));
      const delta = draw(T * D, (i) => 0.1 + 0.05 * (i % 5));
      const b = draw(T * N, (i) => Math.cos(i));
      const A = tensor(
        draw(D * N, (i) => -0.5 - (i % 3)),
        { shape: [D, N] },
      );
      const part = (from: number, to: number) => {
        const t = to - from;
        const cut = (x: Float32Array, w: number, shape: number[]) =>
          tensor(x.slice(from * w, to * w), { shape });
        return {
          u: cut(u, D, [1, t, D]),
          delta: cut(delta, D, [1, t, D]),
          A,
          B: cut(b, N, [1, t, 1, N]),
          C: cut(b, N, [1, t, 1, N]),
        };
      };
      withBackend(backend, () => {
        const packed = selectiveScan({ ...part(0, T), cuSeqlens: tensor([0, 3, 3, 7], { dtype: 'i32' }) });
        const apart = [part(0, 3), part(3, 7)].map((p) => selectiveScan(p));
        expect(Array.from(packed.y.dataSync())).toEqual(apart.flatMap((r) => Array.from(r.y.dataSync())));
        const zeroState = new Array<number>(D * N).fill(0);
        expect(Array.from(packed.finalState.dataSync())).toEqual([
          ...Array.from(apart[0].finalState.dataSync()),
          ...zeroState,
          ...Array.from(apart[1].finalState.dataSync()),
        ]);
      });
    },
  );
});
