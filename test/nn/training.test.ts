import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DeviceError } from '../../lib/core/errors.js';
import { memory, mul, setThreads, sum, threads, useBackend } from '../../lib/index.js';
import { createLanguageModel, type LanguageModelParameters } from '../../lib/nn/language-model.js';
import type { CheckpointStore } from '../../lib/nn/checkpoint.js';
import { fingerprint } from '../../lib/nn/fingerprint.js';
import { cosineSchedule } from '../../lib/nn/schedules.js';
import { train, type TrainOptions } from '../../lib/nn/training.js';
import type { TrainingProgress } from '../../lib/nn/progress.js';
import { hostMemory } from '../../lib/tensor/host-memory.js';
import { tensor, type Tensor } from '../../lib/tensor/tensor.js';
import { treeTensors } from '../../lib/tensor/tree.js';
import { countingBatch, SMALL } from './support.js';

type Params = LanguageModelParameters;

function options(
  kind: 'mamba' | 'transformer',
  change: Partial<TrainOptions<Params>> = {},
): TrainOptions<Params> {
  const model = createLanguageModel(SMALL[kind], 3);
  return {
    model,
    data: (_, random) => countingBatch(random, [4, 16]),
    steps: 8,
    schedule: cosineSchedule({ peak: 1e-2, steps: 40, warmup: 3 }),
    seed: 7,
    ...change,
  };
}

/** A store in memory that can be told to misbehave. */
function memoryStore(): CheckpointStore & { bytes?: Uint8Array; saves: number } {
  return {
    name: 'memory',
    saves: 0,
    async load() {
      return this.bytes;
    },
    async save(bytes) {
      this.bytes = bytes.slice();
      this.saves++;
    },
  };
}

let threadsBefore = 1;
beforeAll(async () => {
  await useBackend('wasm');
  threadsBefore = threads();
});
afterAll(() => setThreads(threadsBefore));

describe.each(['mamba', 'transformer'] as const)('training a small %s model', (kind) => {
  it('learns to count', async () => {
    const result = await train(options(kind, { steps: 80, schedule: 1e-2, optimizer: { weightDecay: 0 } }));
    expect(result.stopped).toBe('done');
    expect(result.history.loss).toHaveLength(80);
    expect(result.history.loss[0]).toBeGreaterThan(3);
    expect(result.history.loss.at(-1)).toBeLessThan(1);
  });

  it('gives the same fingerprint with one thread and with two', async () => {
    setThreads(1);
    const one = await train(options(kind));
    setThreads(2);
    const two = await train(options(kind));
    expect(two.fingerprint).toBe(one.fingerprint);
    expect(one.fingerprint).toMatch(/^[0-9a-f]{64}$/);
    const other = await train(options(kind, { seed: 8 }));
    expect(other.fingerprint).not.toBe(one.fingerprint);
  });

  it('resumes bit for bit where it was cancelled', async () => {
    const whole = await train(options(kind, { evaluate: { everySteps: 4, run: (_, step) => step } }));
    const store = memoryStore();
    const stop = new AbortController();
    const evaluate = {
      everySteps: 4,
      run: (_: Params, step: number) => {
        if (step === 4) stop.abort();
        return step;
      },
    };
    const first = await train(options(kind, { checkpoint: { store }, signal: stop.signal, evaluate }));
    expect([first.stopped, first.step, store.saves]).toEqual(['cancelled', 4, 1]);
    const second = await train(options(kind, { checkpoint: { store, resume: true }, evaluate }));
    expect([second.stopped, second.step]).toEqual(['done', 8]);
    expect(second.history).toEqual(whole.history);
    expect(second.fingerprint).toBe(whole.fingerprint);
    expect(await fingerprint(second.params, second.history.loss)).toBe(whole.fingerprint);
  });
});

describe('the training loop', () => {
  it('resumes SGD with momentum bit for bit as well', async () => {
    const optimizer = { kind: 'sgd', momentum: 0.9 } as const;
    const whole = await train(options('transformer', { optimizer }));
    const store = memoryStore();
    await train(options('transformer', { optimizer, steps: 3, checkpoint: { store } }));
    const rest = await train(options('transformer', { optimizer, checkpoint: { store, resume: true } }));
    expect(rest.fingerprint).toBe(whole.fingerprint);
  });

  it('stops at a loss that is not a number, names the step and keeps the last checkpoint', async () => {
    const store = memoryStore();
    const good = options('mamba');
    const model = {
      ...good.model,
      loss: (p: Params, ids: Tensor, targets: Tensor) => {
        const loss = good.model.loss(p, ids, targets);
        return calls++ === 5 ? mul(loss, tensor(NaN)) : loss;
      },
    };
    let calls = 0;
    const broken = train({ ...good, model, checkpoint: { store, everySteps: 2 } });
    await expect(broken).rejects.toThrow(
      /loss must be finite, got NaN at step 6.*checkpoint of step 4 in memory is intact/,
    );
    const rest = await train({ ...good, checkpoint: { store, resume: true } });
    expect(rest.fingerprint).toBe((await train(good)).fingerprint);
  });

  it('stops at an infinite gradient too', async () => {
    const good = options('mamba');
    const model = {
      ...good.model,
      loss: (p: Params) => mul(sum(p.embedding), tensor(3e38)),
    };
    await expect(train({ ...good, model })).rejects.toThrow(/got (Infinity|-Infinity|NaN) at step 1/);
  });

  it('says how to resume when the device is lost', async () => {
    const store = memoryStore();
    const good = options('mamba');
    let calls = 0;
    const model = {
      ...good.model,
      loss: (p: Params, ids: Tensor, targets: Tensor) => {
        if (calls++ === 3) throw new DeviceError('device lost: reset by the driver');
        return good.model.loss(p, ids, targets);
      },
    };
    const lost = train({ ...good, model, checkpoint: { store, everySteps: 2 } });
    await expect(lost).rejects.toThrow(
      /got "device lost: reset by the driver" after step 3. The checkpoint of step 2 in memory is intact.*resume: true/,
    );
    await expect(train({ ...good, steps: 1, checkpoint: { store: memoryStore() } })).resolves.toMatchObject({
      step: 1,
    });
  });

  it('reports progress at a limited rate, always for the last step, with speed and time left', async () => {
    const seen: TrainingProgress[] = [];
    await train(options('mamba', { onProgress: (p) => seen.push(p), progressEveryMs: 3_600_000 }));
    expect(seen.map((p) => p.step)).toEqual([1, 8]);
    expect(seen[1]).toMatchObject({ steps: 8, secondsLeft: 0 });
    expect(seen[1].tokensPerSecond).toBeGreaterThan(0);
    expect(seen[1].loss).toBeGreaterThan(0);
    expect(seen[1].gradientNorm).toBeGreaterThan(0);
    const all: number[] = [];
    await train(options('mamba', { onProgress: (p) => all.push(p.step), progressEveryMs: 0 }));
    expect(all).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
  });

  it('lets timers and signals have their turn', async () => {
    let turns = 0;
    const stop = new AbortController();
    const timer = setInterval(() => {
      if (++turns === 2) stop.abort();
    }, 1);
    const result = await train(options('mamba', { steps: 100_000, signal: stop.signal }));
    clearInterval(timer);
    expect(result.stopped).toBe('cancelled');
  });

  it('keeps memory flat and gives everything back', async () => {
    const live: number[] = [];
    const before = hostMemory.stats().liveBlocks;
    const o = options('transformer', { steps: 30 });
    const modelBlocks = hostMemory.stats().liveBlocks;
    const result = await train({
      ...o,
      onProgress: () => live.push(hostMemory.stats().liveBytes),
      progressEveryMs: 0,
    });
    // Not more at any step; less when tensors that earlier tests left behind are collected meanwhile.
    expect(Math.max(...live.slice(2))).toBe(live[2]);
    expect(hostMemory.stats().liveBlocks).toBeLessThanOrEqual(modelBlocks + 1);
    for (const t of treeTensors(result.params)) t.dispose();
    expect(hostMemory.stats().liveBlocks).toBeLessThanOrEqual(modelBlocks);
    expect(modelBlocks).toBeGreaterThanOrEqual(before);
    expect(memory()).toBeDefined();
  });

  it('refuses options that make no sense', async () => {
    const bad = (change: object) => train({ ...options('mamba'), ...change });
    await expect(bad({ steps: -1 })).rejects.toThrow(/steps must be an integer >= 0, got -1/);
    await expect(bad({ clip: 0 })).rejects.toThrow(/clip must be positive/);
    await expect(bad({ checkpoint: {} })).rejects.toThrow(/a path or a store/);
    await expect(bad({ optimizer: { kind: 'lion' } })).rejects.toThrow(
      /optimizer.kind must be adamw or sgd, got "lion"/,
    );
    await expect(bad({ schedule: () => NaN })).rejects.toThrow(/schedule must give a finite rate/);
    await expect(bad({ checkpoint: { store: memoryStore(), everySteps: 0 } })).rejects.toThrow(
      /checkpoint.everySteps/,
    );
  });
});
