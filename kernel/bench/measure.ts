/** Timing: warm-up, seven samples of at least five milliseconds, median and quartiles. */

export interface Timing {
  medianMs: number;
  q1Ms: number;
  q3Ms: number;
  repeats: number;
}

const SAMPLES = 7;
const SHORTEST_SAMPLE_MS = 5;
const WARM_MS = 100;
const LONGEST_MS = 8000;

const now = () => performance.now();

/** Times a call; asynchronous calls (GPU readbacks) are awaited. Calls longer than a second get three samples. */
export async function measure(call: () => unknown): Promise<Timing> {
  let fastest = Infinity;
  const begun = now();
  for (let i = 0; i < 2 || (now() - begun < WARM_MS && i < 200); i++) {
    const before = now();
    await call();
    fastest = Math.min(fastest, now() - before);
  }
  const calls = Math.max(1, Math.ceil(SHORTEST_SAMPLE_MS / Math.max(fastest, 1e-4)));
  const samples = Math.max(3, Math.min(SAMPLES, Math.floor(LONGEST_MS / (fastest * calls))));
  const times: number[] = [];
  for (let s = 0; s < samples; s++) {
    const before = now();
    for (let i = 0; i < calls; i++) {
      const result = call();
      if (result instanceof Promise) await result;
    }
    times.push((now() - before) / calls);
  }
  times.sort((a, b) => a - b);
  return {
    medianMs: quantile(times, 0.5),
    q1Ms: quantile(times, 0.25),
    q3Ms: quantile(times, 0.75),
    repeats: samples,
  };
}

function quantile(sorted: readonly number[], p: number): number {
  const at = p * (sorted.length - 1);
  const low = Math.floor(at);
  const high = Math.min(low + 1, sorted.length - 1);
  return sorted[low] + (at - low) * (sorted[high] - sorted[low]);
}
