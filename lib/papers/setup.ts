/** What an experiment runs with: size, backend and text. */
import { ArgumentError } from '../core/errors.js';
import { setThreads } from '../cpu/index.js';
import { useBackend, type BackendName } from '../tensor/backend.js';
import { generatedText, openTrainingText, type TrainingText } from '../tasks/text.js';
import type { LoadOptions } from '../tasks/manifest.js';
import type { Size } from './ledger/types.js';
import type { Setup } from './paper.js';

/** Bytes of generated text at size smoke, where making a megabyte would take longer than the rest. */
const SMOKE_BYTES = 120_000;

/**
 * Opens the backend and the text: Tiny Shakespeare where it is on this machine, else generated text of known entropy
 * rate (`text: 'generated'` asks for that, `text: 'none'` for no text).
 */
export async function openSetup(
  options: {
    size?: Size;
    backend?: BackendName;
    text?: 'generated' | 'none';
    threads?: number;
  } & LoadOptions = {},
): Promise<Setup> {
  const { size = 'smoke', backend = 'wasm', text, threads, ...load } = options;
  await useBackend(backend);
  if (threads !== undefined) setThreads(threads);
  if (text === 'none') return withoutText(size, backend);
  const chosen: TrainingText =
    text === 'generated' || size === 'smoke'
      ? generatedText(undefined, size === 'smoke' ? SMOKE_BYTES : undefined)
      : await openTrainingText(load);
  return { size, backend, text: chosen };
}

function withoutText(size: Size, backend: BackendName): Setup {
  return {
    size,
    backend,
    get text(): TrainingText {
      throw new ArgumentError(
        "openSetup: text must be opened for an experiment that reads it, got 'none'; set text: true in the experiment",
      );
    },
  };
}
