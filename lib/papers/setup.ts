/** What an experiment runs with: size, backend, text and data sets. */
import { ArgumentError, DataError } from '../core/errors.js';
import { setThreads } from '../cpu/index.js';
import { useBackend, type BackendName } from '../tensor/backend.js';
import { generatedText, openTrainingText, type TrainingText } from '../tasks/text.js';
import { readBytes } from '../tasks/files.js';
import { findData, manifestOf, type LoadOptions } from '../tasks/manifest.js';
import type { Size } from './ledger/types.js';
import type { Experiment, Setup, SetupData } from './paper.js';

/** Bytes of generated text at size smoke, where making a megabyte would take longer than the rest. */
const SMOKE_BYTES = 120_000;

/**
 * Opens the backend and the text: Tiny Shakespeare where it is on this machine, else generated text of known entropy
 * rate (`text: 'generated'` asks for that, `text: 'none'` for no text). Of `datasets` those are read that are on this
 * machine; `missingData` says which an experiment lacks.
 */
export async function openSetup(
  options: {
    size?: Size;
    backend?: BackendName;
    text?: 'generated' | 'none';
    threads?: number;
    datasets?: readonly string[];
  } & LoadOptions = {},
): Promise<Setup> {
  const { size = 'smoke', backend = 'wasm', text, threads, datasets = [], ...load } = options;
  await useBackend(backend);
  if (threads !== undefined) setThreads(threads);
  const data = await openData(datasets, load);
  if (text === 'none') return withoutText(size, backend, data);
  const chosen: TrainingText =
    text === 'generated' || size === 'smoke'
      ? generatedText(undefined, size === 'smoke' ? SMOKE_BYTES : undefined)
      : await openTrainingText(load);
  return { size, backend, text: chosen, data };
}

/** Those of the data sets that are on this machine; a damaged one is an error. */
async function openData(names: readonly string[], load: LoadOptions): Promise<SetupData[]> {
  const found: SetupData[] = [];
  for (const name of new Set(names)) {
    const local = await findData(name, load);
    if (local) found.push({ name, sha256: local.manifest.sha256, bytes: await readBytes(local.path) });
  }
  return found;
}

/** Why an experiment cannot run with a setup; undefined when it has all its data sets. */
export function missingData(experiment: Experiment, setup: Setup): string | undefined {
  const missing = (experiment.datasets ?? []).filter(
    (name) => !setup.data?.some((found) => found.name === name),
  );
  if (missing.length === 0) return undefined;
  const pulled = missing.filter((name) => manifestOf(name).address !== null);
  const pull = pulled.map((name) => `run "npx --no assay data pull ${name}", or `).join('');
  const files = missing.map((name) => manifestOf(name).mirror).join(' and ');
  return `it needs ${missing.join(' and ')}, not on this machine; ${pull}set ASSAY_DATA to a folder that holds ${files}`;
}

/** A data set of the setup as text. @throws DataError when the experiment did not ask for it or it is not there */
export function dataText(setup: Setup, name: string): string {
  const found = setup.data?.find((entry) => entry.name === name);
  if (!found)
    throw new DataError(
      `dataText: ${name} must be opened, got ${setup.data?.map((entry) => entry.name).join(', ') || 'no data set'}; name it in the experiment's datasets`,
    );
  return new TextDecoder().decode(found.bytes);
}

function withoutText(size: Size, backend: BackendName, data: readonly SetupData[]): Setup {
  return {
    size,
    backend,
    data,
    get text(): TrainingText {
      throw new ArgumentError(
        "openSetup: text must be opened for an experiment that reads it, got 'none'; set text: true in the experiment",
      );
    },
  };
}
