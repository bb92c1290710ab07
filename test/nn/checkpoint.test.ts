import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { useBackend } from '../../lib/index.js';
import { fileCheckpoint } from '../../lib/nn/checkpoint-files.js';
import { decodeModel, encodeModel } from '../../lib/nn/checkpoint.js';
import { fingerprint } from '../../lib/nn/fingerprint.js';
import { createLanguageModel, type LanguageModelParameters } from '../../lib/nn/language-model.js';
import { decodeSafetensors, encodeSafetensors } from '../../lib/nn/safetensors.js';
import { train, type TrainOptions } from '../../lib/nn/training.js';
import { temporaryFolder } from '../tasks/temporary.js';
import { countingBatch, SMALL } from './support.js';

type Params = LanguageModelParameters;

function options(change: Partial<TrainOptions<Params>> = {}): TrainOptions<Params> {
  return {
    model: createLanguageModel(SMALL.mamba, 3),
    data: (_, random) => countingBatch(random, [2, 8]),
    steps: 4,
    ...change,
  };
}

beforeAll(() => useBackend('wasm'));

describe('a checkpoint file', () => {
  it('resumes bit for bit from a path with spaces and umlauts', async () => {
    const path = join(temporaryFolder(), 'läufe', 'run 1.safetensors');
    const whole = await train(options());
    await train(options({ steps: 2, checkpoint: { path } }));
    const rest = await train(options({ checkpoint: { path, resume: true } }));
    expect(rest.fingerprint).toBe(whole.fingerprint);
    expect(readdirSync(join(path, '..'))).toEqual(['run 1.safetensors']);
  });

  it('holds a model that can be loaded for generation', async () => {
    const path = join(temporaryFolder(), 'model.safetensors');
    const result = await train(options({ checkpoint: { path } }));
    const loaded = decodeModel(new Uint8Array(readFileSync(path)));
    expect(loaded.step).toBe(4);
    expect(loaded.model.config).toEqual(SMALL.mamba);
    expect(await fingerprint(loaded.params)).toBe(await fingerprint(result.params));
    const plain = decodeModel(await encodeModel(loaded.model.config, loaded.params));
    expect(await fingerprint(plain.params)).toBe(await fingerprint(result.params));
  });

  it('starts afresh when there is none to resume', async () => {
    const path = join(temporaryFolder(), 'none.safetensors');
    const result = await train(options({ checkpoint: { path, resume: true } }));
    expect(result.fingerprint).toBe((await train(options())).fingerprint);
  });

  it('is refused when cut short, damaged or no checkpoint', async () => {
    const path = join(temporaryFolder(), 'c.safetensors');
    await train(options({ checkpoint: { path } }));
    const bytes = new Uint8Array(readFileSync(path));
    const resume = () => train(options({ steps: 6, checkpoint: { path, resume: true } }));
    for (const length of [0, 5, 300, bytes.length - 1]) {
      writeFileSync(path, bytes.slice(0, length));
      await expect(resume()).rejects.toThrow(/decodeSafetensors: .*got .*damaged/);
    }
    const { tensors, metadata } = decodeSafetensors(bytes);
    const { 'optimizer.m.norm': gone, ...others } = tensors;
    expect(gone).toBeDefined();
    writeFileSync(path, encodeSafetensors(others, metadata));
    await expect(resume()).rejects.toThrow(/file must hold optimizer.m.norm/);
    writeFileSync(path, encodeSafetensors(tensors, { ...metadata, identity: '{' }));
    await expect(resume()).rejects.toThrow(/metadata identity must be JSON/);
    writeFileSync(path, encodeSafetensors(tensors, {}));
    await expect(resume()).rejects.toThrow(/must be an assay-checkpoint of version 1, got format undefined/);
    writeFileSync(path, bytes);
    await expect(resume()).resolves.toMatchObject({ step: 6 });
  });

  it('is refused by a run with other settings, which it names', async () => {
    const path = join(temporaryFolder(), 'c.safetensors');
    await train(options({ checkpoint: { path } }));
    const resume = (change: object) => train(options({ checkpoint: { path, resume: true }, ...change }));
    await expect(resume({ seed: 1 })).rejects.toThrow(/seed must be the one of the saved run 0, got 1/);
    await expect(resume({ optimizer: { beta1: 0.5 } })).rejects.toThrow(
      /optimizer must be the one of the saved run/,
    );
    await expect(resume({ clip: 2 })).rejects.toThrow(/clip must be/);
    const other = createLanguageModel({ ...SMALL.mamba, layers: 1 }, 1);
    await expect(resume({ model: other })).rejects.toThrow(/config must be the one of the saved run/);
  });

  it('leaves the old file as it was when the disk is full', async () => {
    const folder = temporaryFolder();
    const path = join(folder, 'c.safetensors');
    await train(options({ steps: 2, checkpoint: { path } }));
    const before = readFileSync(path);
    let written = 0;
    const full = fileCheckpoint(path, {
      write: (_, data) => {
        if (written++ > 0) throw Object.assign(new Error('no space'), { code: 'ENOSPC' });
        return Math.min(10, data.length);
      },
    });
    await expect(train(options({ checkpoint: { store: full, resume: true } }))).rejects.toThrow(
      /disk is full.*old file.*unchanged/,
    );
    expect(readFileSync(path).equals(before)).toBe(true);
    expect(readdirSync(folder)).toEqual(['c.safetensors']);
  });

  it('serves one run at a time', async () => {
    const path = join(temporaryFolder(), 'c.safetensors');
    const stop = new AbortController();
    let first: ReturnType<typeof train> | undefined;
    await new Promise<unknown>((resolve) => {
      first = train(
        options({ steps: 100_000, checkpoint: { path }, signal: stop.signal, onProgress: resolve }),
      );
    });
    await expect(train(options({ checkpoint: { path } }))).rejects.toThrow(/must not be in use/);
    stop.abort();
    await expect(first).resolves.toMatchObject({ stopped: 'cancelled' });
    expect(existsSync(path)).toBe(true);
  });
});
