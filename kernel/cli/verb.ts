/** What every verb of the command line looks like, and the few helpers verbs share. */
import { parseArgs, type ParseArgsConfig } from 'node:util';

/** What the command line gives a running verb. Progress goes to standard error, results to standard output. */
export interface VerbContext {
  /** Aborted on Ctrl-C (exit code 130) and on SIGTERM; hand it to everything that takes long. */
  readonly signal: AbortSignal;
  /** Folder of the project (where package.json is). */
  readonly root: string;
  /** Prints one line of the result on standard output. */
  readonly out: (text: string) => void;
  /** Prints the one JSON document of `--json` on standard output. */
  readonly json: (document: unknown) => void;
  /** Prints one line of progress on standard error. */
  readonly progress: (text: string) => void;
}

/** One verb: `assay NAME ...`. `run` resolves to the exit code; `--help` is answered before it is called. */
export interface Verb {
  readonly name: string;
  /** One line for `assay --help`. */
  readonly summary: string;
  /** Full text of `assay NAME --help`: synopsis, options, examples. */
  readonly usage: string;
  run(args: string[], context: VerbContext): Promise<number>;
}

/** The command was written wrongly: the message is printed with a pointer to `--help`, exit code 2. */
export class UsageError extends Error {
  override name = 'UsageError';
}

/** Parses the arguments of a verb with `util.parseArgs`; a wrong option becomes a {@link UsageError}. */
export function parseVerbArgs<T extends ParseArgsConfig>(config: T): ReturnType<typeof parseArgs<T>> {
  try {
    return parseArgs(config);
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message.split('. To specify')[0] : String(error));
  }
}

/** Reads an option that must be a number above zero; `undefined` stays `undefined`. */
export function positiveNumber(option: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const value = Number(text);
  if (!(value > 0) || !Number.isFinite(value))
    throw new UsageError(`${option} must be a number above 0, got "${text}"`);
  return value;
}
