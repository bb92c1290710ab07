/** `assay data`: lists the data sets and fetches them; nothing else in the project downloads data. */
import { join } from 'node:path';
import { CancelledError } from '../../lib/core/errors.js';
import {
  findData,
  listManifests,
  manifestOf,
  pullData,
  size,
  type DatasetManifest,
  type LoadOptions,
  type TransferProgress,
} from '../../lib/tasks/manifest.js';
import { parseVerbArgs, UsageError, type Verb, type VerbContext } from './verb.js';

export const verb: Verb = {
  name: 'data',
  summary: 'list the data sets, or fetch them with resume and verification',
  usage: `Usage: assay data list [--json]
       assay data pull NAME... [--json]

list says which data sets there are, where each comes from, under which licence, and whether it is on this
machine. pull fetches the named ones into .assay/data (or ASSAY_CACHE), continues an interrupted transfer and
checks the sha256. A file found in the mirror folder ASSAY_DATA is used as it is.

  --json   print one JSON document

Example: assay data pull tiny-shakespeare`,
  async run(args, context) {
    const { values, positionals } = parseVerbArgs({
      args,
      options: { json: { type: 'boolean' } },
      allowPositionals: true,
    });
    const [action, ...names] = positionals;
    if (action === 'list' && names.length === 0) return list(values.json === true, context);
    if (action === 'pull' && names.length > 0) return pull(names, values.json === true, context);
    throw new UsageError('data needs "list", or "pull" and at least one name');
  },
};

/** The project's own cache, wherever the command is given: `reproduce` looks there too. */
const cacheOf = ({ root }: VerbContext): string => process.env['ASSAY_CACHE'] || join(root, '.assay', 'data');

/** Where a data set is, in one word; a damaged file is named with what is wrong. */
async function stateOf(
  manifest: DatasetManifest,
  cache: string,
): Promise<{ here: string | null; problem?: string }> {
  try {
    return { here: (await findData(manifest.name, { cache }))?.from ?? null };
  } catch (error) {
    return { here: null, problem: (error as Error).message };
  }
}

async function list(json: boolean, context: VerbContext): Promise<number> {
  const rows = [];
  for (const manifest of listManifests())
    rows.push({ ...manifest, ...(await stateOf(manifest, cacheOf(context))) });
  if (json) {
    context.json(rows);
    return 0;
  }
  for (const row of rows) {
    const where = row.problem ? 'DAMAGED' : (row.here ?? (row.address === null ? 'mirror only' : 'not here'));
    context.out(`${row.name.padEnd(22)} ${size(row.bytes).padStart(9)}  ${where.padEnd(11)}  ${row.about}`);
    context.out(`${' '.repeat(22)} ${' '.repeat(9)}  licence: ${row.licence}`);
    if (row.problem) context.out(`  ${row.problem}`);
  }
  return 0;
}

async function pull(names: readonly string[], json: boolean, context: VerbContext): Promise<number> {
  // All names are checked before the first byte is fetched.
  const wanted = names.map((name) => manifestOf(name));
  const done = [];
  for (const manifest of wanted) {
    if (context.signal.aborted) throw new CancelledError('data pull: cancelled');
    const options: LoadOptions = {
      cache: cacheOf(context),
      signal: context.signal,
      onProgress: reporter(context),
    };
    if (!(await findData(manifest.name, options))) {
      context.progress(
        `${manifest.name}: ${size(manifest.bytes)} from ${manifest.address} (${manifest.licence})`,
      );
    }
    const local = await pullData(manifest.name, options);
    context.progress(
      `${manifest.name}: ${local.from === 'download' ? 'fetched and verified' : `in the ${local.from}`}`,
    );
    done.push({ name: manifest.name, path: local.path, from: local.from, sha256: manifest.sha256 });
    if (!json) context.out(local.path);
  }
  if (json) context.json(done);
  return 0;
}

/** A progress line at most every half second. */
function reporter(context: VerbContext): (progress: TransferProgress) => void {
  let last = 0;
  return ({ name, received, total }) => {
    const now = performance.now();
    if (now - last < 500) return;
    last = now;
    context.progress(`${name}: ${size(received)} of ${size(total)}`);
  };
}
