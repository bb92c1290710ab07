/** Cells from their request to their reply. */
import { performance } from 'node:perf_hooks';
import { SHOWN } from '../notebook/host.js';
import type { Asker } from '../threads/ask.js';
import type { CellReply, CellRequest, ErrorContent, FromUser, UserExpression } from '../threads/messages.js';
import type {
  Diagnostic,
  PreparedCell,
  RefusedCell,
  TypesAnswers,
  TypesRequest,
} from '../threads/types-messages.js';
import { CellSource, type CellSources } from './cell-map.js';
import { install, runShell } from './commands.js';
import { brokenContent, errorContent, floatingNote, refusal, type CellPlace } from './errors.js';
import type { Evaluated, Evaluator } from './evaluate.js';
import { CellInterrupted, Execution, finished, running, runIn, started } from './executions.js';
import type { GpuWatch } from './gpu-watch.js';
import type { Importer } from './imports.js';
import { formatted } from './kernel-host.js';
import { tellLateErrors } from './late-errors.js';
import { checkComment, KNOWN, readMagics, type Magics } from './magics.js';
import { nodeTimers } from './node-timers.js';
import type { Outputs } from './output.js';
import { LocalNames } from './renew.js';
import type { AssayRuntime } from './runtime.js';
import { isLocal } from './specifiers.js';

export interface SessionParts {
  readonly send: (message: FromUser) => void;
  readonly types: Asker<TypesRequest, TypesAnswers>;
  readonly evaluator: Evaluator;
  readonly importer: Importer;
  readonly runtime: AssayRuntime;
  readonly outputs: Outputs;
  readonly cells: CellSources;
  readonly gpu: GpuWatch;
  readonly folder: string;
  /** Ends groups of the console that an earlier cell left open. */
  readonly closeGroups: () => void;
}

/** Is the value on the page already (a display, a progress bar)? */
function isShown(value: unknown): boolean {
  try {
    // A proxy may have every name.
    return (value as { [SHOWN]?: unknown } | null | undefined)?.[SHOWN] === true;
  } catch {
    return false;
  }
}

/** Thrown inside of an execution to end it with a reply that is made already. */
class Refused extends Error {
  constructor(readonly content: ErrorContent) {
    super(content.evalue);
  }
}

export class Session {
  private check = process.env.ASSAY_TYPES !== 'off';
  /** Name of the last result, as in Node's REPL, until a cell declares it. */
  private ownsLast = true;
  private readonly localNames: LocalNames;

  constructor(private readonly parts: SessionParts) {
    const { types, importer, evaluator, runtime, folder } = parts;
    this.localNames = new LocalNames({
      version: async (specifier) => (await types.ask({ type: 'locate', specifier, from: folder }))?.version,
      import: (specifier) => importer.import(specifier),
      assign: async (values) => {
        runtime.renewed = [...values.values()];
        const names = [...values.keys()];
        const code = names.map((name, i) => `${name} = __assay.renewed[${i}];`).join(' ');
        await evaluator.evaluate(code);
        runtime.renewed = [];
      },
      fail: (specifier, error) => {
        const { ename, evalue } = errorContent(error, parts.cells);
        const text = `the edited ${specifier} could not be loaded, names from it keep their values: ${ename}: ${evalue}\n`;
        parts.outputs.output({ kind: 'stream', name: 'stderr', text });
      },
    });
  }

  /** Runs a cell; its reply is sent once, at its end or at its interrupt. */
  async execute(cell: CellRequest): Promise<void> {
    const { outputs, send } = this.parts;
    let execution: Execution | undefined;
    let reply: CellReply | undefined;
    try {
      execution = new Execution(cell.id, cell.count, 'cell', cell.id, cell.allowStdin);
      reply = await this.outcome(cell, execution);
      tellLateErrors(outputs, execution);
      outputs.end(execution);
    } catch (error) {
      // A cell may have changed what the kernel's own code needs (Map.prototype, Promise): whoever waits is told.
      const content = brokenContent(error);
      send({ type: 'error', id: cell.id, ...content });
      reply = { status: 'error', ...content };
    } finally {
      if (execution) finished(execution);
      send({ type: 'done', id: cell.id, reply: reply! });
    }
  }

  private async outcome(cell: CellRequest, execution: Execution): Promise<CellReply> {
    const { outputs, cells, closeGroups, gpu } = this.parts;
    if ([...running()].length === 0) closeGroups();
    started(execution);
    outputs.begin(execution);
    gpu.beginExecution(execution);
    const work = runIn(execution, () => this.replyTo(cell, execution));
    // What an interrupted cell still throws is of no interest.
    work.catch(() => undefined);
    let reply: CellReply;
    try {
      const ended = await Promise.race([work, execution.interruption]);
      if (ended instanceof CellInterrupted) throw ended;
      reply = ended;
    } catch (error) {
      const content = error instanceof Refused ? error.content : errorContent(error, cells);
      // An error of late work is shown already.
      if (!execution.failure || error !== execution.failure.error) outputs.error(content, execution);
      reply = { status: 'error', ...content };
    }
    for (const error of await gpu.endExecution(execution)) {
      const content = errorContent(error, cells);
      outputs.error(content, execution);
      if (reply.status === 'ok') reply = { status: 'error', ...content };
    }
    return reply;
  }

  private async replyTo(cell: CellRequest, execution: Execution): Promise<CellReply> {
    const magics = readMagics(cell.code);
    if (magics.unknown) throw unknownMagic(magics, cell);
    const start = performance.now();
    const { folder } = this.parts;
    for (const packages of magics.installs) await install(packages, folder, execution);
    if (magics.shell) await runShell(magics.shell.name, magics.shell.script, folder, execution);
    else if (magics.code.trim() !== '') await this.run(cell, magics, execution);
    if (magics.time) process.stdout.write(`time: ${duration(performance.now() - start)}\n`);
    if (execution.failure) throw execution.failure.error;
    return { status: 'ok', userExpressions: await this.userExpressions(cell.userExpressions) };
  }

  private async run(cell: CellRequest, magics: Magics, execution: Execution): Promise<void> {
    const { evaluator, importer, outputs } = this.parts;
    const prepared = await this.prepare(cell, magics);
    if (execution.interrupted) return;
    const evaluated = await evaluator.evaluate(prepared.js);
    const imports = prepared.localImports.filter(({ specifier }) => importer.wasLoaded(specifier));
    await this.localNames.imported(imports);
    if (execution.interrupted) return;
    // A rejection nobody handled is known only after the promises of this turn had theirs.
    await new Promise((resolve) => nodeTimers.setImmediate(resolve));
    if (!evaluated.ok) throw this.located(evaluated, cell.count);
    // Held work may hold more.
    for (const work of execution.held) await work;
    if (evaluated.value === undefined || isShown(evaluated.value)) return;
    if (cell.silent) return;
    if (this.ownsLast) setLast(evaluated.value);
    const { data, metadata } = await formatted(evaluated.value);
    if (!execution.interrupted) outputs.result(execution, data, metadata);
  }

  /** What the engine refuses to run has no frames: the place it names becomes one. */
  private located({ error, at }: Evaluated & { ok: false }, count: number): unknown {
    const file = `cell-${count}.ts`;
    const source = this.parts.cells.get(file);
    if (!at || !source || !(error instanceof SyntaxError) || /^ +at /m.test(error.stack ?? '')) return error;
    const { line, column } = source.back(at);
    error.stack = `${error.name}: ${error.message}\n    at ${file}:${line}:${column}`;
    return error;
  }

  /** The cell's JavaScript. @throws Refused when there are errors, after showing them */
  private async prepare(cell: CellRequest, magics: Magics): Promise<PreparedCell> {
    const { types, cells, folder } = this.parts;
    const { count } = cell;
    const comment = checkComment(magics.code);
    if (comment.session !== undefined) this.check = comment.session;
    const check = this.check && !magics.nocheck && comment.cell !== false;
    const prepared = await types.ask({ type: 'prepare', code: magics.code, count, check });
    const place: CellPlace = { code: cell.code, count, folder };
    if (!prepared.ok) throw new Refused(refusal(withHints(prepared, cell.code), place));
    cells.add(count, new CellSource(cell.code, prepared.js, prepared.map));
    for (const diagnostic of prepared.floating) this.tell(floatingNote(diagnostic, place));
    if (prepared.declares.includes('_')) this.ownsLast = false;
    await this.localNames.renew(prepared.localImports);
    this.localNames.declared(prepared.declares);
    return prepared;
  }

  private tell(text: string): void {
    this.parts.outputs.output({ kind: 'stream', name: 'stderr', text });
  }

  private async userExpressions(asked: Record<string, string>): Promise<Record<string, UserExpression>> {
    const entries = Object.entries(asked).map(async ([name, expression]) => {
      return [name, await this.userExpression(expression)] as const;
    });
    return Object.fromEntries(await Promise.all(entries));
  }

  private async userExpression(expression: string): Promise<UserExpression> {
    const { evaluator, cells } = this.parts;
    const evaluated: Evaluated = await evaluator.evaluate(expression);
    if (!evaluated.ok) return { status: 'error', ...errorContent(evaluated.error, cells) };
    return { status: 'ok', ...(await formatted(evaluated.value)) };
  }
}

/** A cell may have frozen globalThis: then there is no last result. */
function setLast(value: unknown): void {
  const held = { value, writable: true, configurable: true, enumerable: false };
  Reflect.defineProperty(globalThis, '_', held);
}

/** `1.23 s`, `45.6 ms` */
function duration(milliseconds: number): string {
  return milliseconds < 1000
    ? `${milliseconds.toPrecision(3)} ms`
    : `${(milliseconds / 1000).toPrecision(3)} s`;
}

function unknownMagic({ unknown }: Magics, cell: CellRequest): Refused {
  const { line, text } = unknown!;
  const message = `${text} is not known to this kernel; it knows ${KNOWN.join(', ')}`;
  const diagnostic = {
    file: `cell-${cell.count}.ts`,
    line,
    column: 1,
    code: 0,
    message,
    length: text.length,
  };
  const refused: RefusedCell = { ok: false, kind: 'syntax', diagnostics: [{ ...diagnostic, notes: [] }] };
  return new Refused(refusal(refused, { code: cell.code, count: cell.count, folder: '' }));
}

/** Advice that needs to know this kernel: how a shell command is run, how a package is installed. */
function withHints(refused: RefusedCell, code: string): RefusedCell {
  const lines = code.split('\n');
  const diagnostics = refused.diagnostics.map((diagnostic) => {
    const hint = hintFor(diagnostic, lines[diagnostic.line - 1] ?? '');
    return hint === undefined ? diagnostic : { ...diagnostic, notes: [...diagnostic.notes, hint] };
  });
  return { ...refused, diagnostics };
}

function hintFor({ code, message }: Diagnostic, line: string): string | undefined {
  if (/^\s*!/.test(line)) return 'a shell command goes into a cell whose first line is %%bash';
  if (code === 2304) return 'if another cell declares it, run that cell first';
  const missing = code === 2307 ? /'([^']*)'/.exec(message)?.[1] : undefined;
  if (missing === undefined || isLocal(missing) || /^node:|^assay(\/|$)/.test(missing)) return undefined;
  if (/^[@~#]\//.test(missing))
    return "the paths of a tsconfig.json are unknown when a cell runs: import the file by its own path, such as './src/file'";
  const parts = missing.split('/');
  return `%install ${parts.slice(0, missing.startsWith('@') ? 2 : 1).join('/')} installs the package`;
}
