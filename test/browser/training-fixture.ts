/** Twenty steps of a small Mamba model: what every platform must repeat bit for bit. */
import { createLanguageModel, setThreads, tensor, train, useBackend } from '../../lib/index.js';

export async function trainedFingerprint(threads: number): Promise<string> {
  await useBackend('wasm');
  setThreads(threads);
  const model = createLanguageModel({ kind: 'mamba', layers: 2, width: 32 }, 7);
  const [B, T] = [4, 33];
  const text = Uint8Array.from({ length: 4096 }, (_, i) => (i * 31 + (i >> 3) * 7) & 127);
  const result = await train({
    model,
    steps: 20,
    schedule: 3e-3,
    seed: 7,
    data: (_, random) => {
      const starts = Array.from({ length: B }, () => random.int(text.length - T - 1));
      const cut = (shift: number) =>
        tensor(
          Int32Array.from({ length: B * T }, (_v, i) => text[starts[Math.floor(i / T)] + (i % T) + shift]),
          { shape: [B, T] },
        );
      return { ids: cut(0), targets: cut(1) };
    },
  });
  return result.fingerprint;
}
