/** The command line: finds the verb, gives it an AbortSignal, turns errors into messages and exit codes. */
import { projectRoot } from './root.js';
import { UsageError, type Verb, type VerbContext } from './verb.js';
import { verbs } from './verbs.js';

/** Streams of one call of the command line; tests hand in their own. */
export interface Streams {
  stdout(text: string): void;
  stderr(text: string): void;
}

const EXIT_INTERRUPTED = 130;
const EXIT_TERMINATED = 143;

/** Runs `assay ARGS` in this process and ends the process with its exit code. */
export async function runCommandLine(args: string[]): Promise<void> {
  const controller = new AbortController();
  let interruptedCode = EXIT_INTERRUPTED;
  const onSignal = (name: 'SIGINT' | 'SIGTERM'): void => {
    interruptedCode = name === 'SIGINT' ? EXIT_INTERRUPTED : EXIT_TERMINATED;
    if (controller.signal.aborted) process.exit(interruptedCode);
    process.stderr.write(`\nassay: stopping (${name}); press Ctrl-C again to stop at once\n`);
    controller.abort(new DOMException('interrupted', 'AbortError'));
  };
  process.on('SIGINT', () => onSignal('SIGINT'));
  process.on('SIGTERM', () => onSignal('SIGTERM'));
  endQuietlyOnClosedPipe();
  const code = await dispatch(args, controller.signal, {
    stdout: (text) => void process.stdout.write(text),
    stderr: (text) => void process.stderr.write(text),
  });
  // A GPU library may hold the event loop, so the process is ended once both streams are written out.
  await Promise.all([flushed(process.stdout), flushed(process.stderr)]);
  process.exit(controller.signal.aborted ? interruptedCode : code);
}

/** Runs one command and resolves to its exit code: 0 success, 1 failure, 2 wrong use, 130 interrupted. */
export async function dispatch(args: string[], signal: AbortSignal, streams: Streams): Promise<number> {
  const [name, ...rest] = args;
  if (name === undefined || name === '--help' || name === '-h' || name === 'help') {
    const topic = name === 'help' ? rest[0] : undefined;
    if (topic === undefined) {
      streams.stdout(await overview());
      return name === undefined ? 2 : 0;
    }
    return dispatch([topic, '--help'], signal, streams);
  }
  if (!Object.hasOwn(verbs, name)) {
    const known = Object.keys(verbs).join(', ');
    streams.stderr(`assay: unknown verb "${name}". Verbs: ${known}. See \`assay --help\`.\n`);
    return 2;
  }
  const { verb } = await verbs[name]();
  if (asksForHelp(rest)) {
    streams.stdout(verb.usage.trimEnd() + '\n');
    return 0;
  }
  return runVerb(verb, rest, signal, streams);
}

async function runVerb(verb: Verb, args: string[], signal: AbortSignal, streams: Streams): Promise<number> {
  const wantsJson = optionsOf(args).includes('--json');
  let documents = 0;
  const json = (document: unknown): void => {
    documents++;
    streams.stdout(JSON.stringify(document, null, 2) + '\n');
  };
  const context: VerbContext = {
    signal,
    root: projectRoot(),
    json,
    out: (text) => streams.stdout(text + '\n'),
    progress: (text) => streams.stderr(text + '\n'),
  };
  try {
    const code = await verb.run(args, context);
    return signal.aborted ? EXIT_INTERRUPTED : code;
  } catch (error) {
    const failure = error instanceof Error ? error : new Error(String(error));
    if (signal.aborted || failure.name === 'AbortError') {
      streams.stderr(`assay ${verb.name}: interrupted\n`);
      return EXIT_INTERRUPTED;
    }
    const usage = failure instanceof UsageError;
    const advice = usage ? `\nSee \`assay ${verb.name} --help\`.` : '';
    streams.stderr(`assay ${verb.name}: ${failure.message}${advice}\n`);
    if (wantsJson && documents === 0) json({ error: { name: failure.name, message: failure.message } });
    if (process.env['ASSAY_DEBUG']) streams.stderr(`${failure.stack ?? ''}\n`);
    return usage ? 2 : 1;
  }
}

async function overview(): Promise<string> {
  const lines = await Promise.all(
    Object.entries(verbs).map(async ([name, load]) => `  ${name.padEnd(11)} ${(await load()).verb.summary}`),
  );
  return [
    'Usage: assay VERB [arguments]      (npx --no assay, or node kernel/cli/bin.mjs)',
    '',
    'Verbs:',
    ...lines,
    '',
    '`assay help VERB` (or `assay VERB --help`) explains one verb. With `--json` a verb prints one JSON',
    'document on standard output; progress goes to standard error. Exit codes: 0 success, 1 failure, 2 wrong use, 130 interrupted.',
    '',
  ].join('\n');
}

/** Arguments up to `--`: what follows it are operands, whatever they look like. */
function optionsOf(args: string[]): string[] {
  const end = args.indexOf('--');
  return end < 0 ? args : args.slice(0, end);
}

function asksForHelp(args: string[]): boolean {
  const options = optionsOf(args);
  return options.includes('--help') || options.includes('-h');
}

function endQuietlyOnClosedPipe(): void {
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(0);
    throw error;
  });
}

function flushed(stream: NodeJS.WriteStream): Promise<void> {
  return new Promise((resolve) => stream.write('', () => resolve()));
}
