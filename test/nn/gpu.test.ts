/** Tier adapter: training and generation on a GPU, real or software, and a device lost in the middle of training. */
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { relativeRms } from '../../lib/core/compare.js';
import { closeGpu, currentGpu, useBackend } from '../../lib/index.js';
import { generateBytes } from '../../lib/nn/generate.js';
import { languageModel, type LanguageModelParameters } from '../../lib/nn/language-model.js';
import { train, type TrainOptions } from '../../lib/nn/training.js';
import { COLD, openAdapter } from '../gpu/support.js';
import { temporaryFolder } from '../tasks/temporary.js';
import { countingBatch, SMALL } from './support.js';

const { context, reason } = await openAdapter();
afterAll(() => closeGpu());

function options(kind: 'mamba' | 'transformer', change: Partial<TrainOptions<LanguageModelParameters>> = {}) {
  const data: TrainOptions<LanguageModelParameters>['data'] = (_, random) => countingBatch(random, [2, 12]);
  return { model: languageModel(SMALL[kind]), data, steps: 6, seed: 2, readbackEvery: 3, ...change };
}

describe.skipIf(!context)(`training on webgpu ${reason}`, { timeout: COLD }, () => {
  it.each(['mamba', 'transformer'] as const)(
    'follows the losses of wasm and generates the same bytes: %s',
    async (kind) => {
      const run = async (backend: 'wasm' | 'webgpu') => {
        await useBackend(backend);
        const result = await train(options(kind));
        const text = (mode: 'step' | 'recompute') =>
          generateBytes(languageModel(SMALL[kind]), result.params, {
            prompt: [1, 2, 3],
            count: 5,
            temperature: 0,
            mode,
          });
        return { loss: result.history.loss, step: await text('step'), recompute: await text('recompute') };
      };
      const [wasm, gpu] = [await run('wasm'), await run('webgpu')];
      expect(gpu.loss).toHaveLength(6);
      // Rounding differences grow with the steps; six of them stay within the gradient bar.
      expect(relativeRms(gpu.loss, wasm.loss)).toBeLessThanOrEqual(5e-5);
      expect(gpu.step).toEqual(wasm.step);
      expect(gpu.recompute).toEqual(gpu.step);
    },
  );

  it('keeps the checkpoint when the device is lost, says so, and resumes on a new one', async () => {
    const path = join(temporaryFolder(), 'gpu.safetensors');
    await useBackend('webgpu');
    const whole = await train(options('mamba'));
    const checkpoint = { path, everySteps: 2, resume: true };
    const data: TrainOptions<LanguageModelParameters>['data'] = (step, random) => {
      if (step === 4) currentGpu()!.device.destroy();
      return countingBatch(random, [2, 12]);
    };
    const lost = train(options('mamba', { checkpoint, data, readbackEvery: 1 }));
    await expect(lost).rejects.toMatchObject({
      name: 'DeviceError',
      message: expect.stringMatching(
        /device must stay available.*The checkpoint of step 2 in .*intact.*resume: true/s,
      ) as string,
    });
    await useBackend('webgpu');
    const rest = await train(options('mamba', { checkpoint }));
    expect(rest.history.loss).toHaveLength(6);
    expect(relativeRms(rest.history.loss, whole.history.loss)).toBeLessThanOrEqual(5e-5);
  });
});
