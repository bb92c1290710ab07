/**
 * The debugger: speaks the Debug Adapter Protocol with front ends (debug_request) and the inspector's protocol
 * with the user thread. Lives in the server's worker, because the user thread stands still while it is stopped.
 */
import type { DebugProtocol } from '@vscode/debugprotocol';
import type { Asker } from '../../threads/ask.js';
import type { TypesAnswers, TypesRequest } from '../../threads/types-messages.js';
import { Breakpoints } from './breakpoints.js';
import { CELL_SUFFIX, Cells, HASH_METHOD, HASH_SEED } from './cells.js';
import { Inspect } from './inspect.js';
import { Link } from './link.js';
import { CAPABILITIES, EMPTY, EXCEPTION_FILTERS } from './protocol.js';
import { scopesOf, sourceText, stackFrames } from './replies.js';
import { Scripts } from './scripts.js';
import { Stops, THREAD } from './stops.js';
import { thrownText } from './values.js';
import { Variables } from './variables.js';

export interface DebuggerOptions {
  /** Folder of the project. */
  readonly root: string;
  /** Folder the cells run in. */
  readonly folder: string;
  readonly types: Asker<TypesRequest, TypesAnswers>;
  /** Sends the content of one debug_event. */
  event(content: object): void;
}

type Arguments = Record<string, unknown>;
type Outcome = { success: boolean; message?: string; body?: object };
type Handler = (args: never) => object | undefined | Promise<object | undefined>;

/** Milliseconds within which an interrupt or a shutdown must get the user thread going again. */
const RELEASE = 300;

export class Debugger {
  private readonly link = new Link();
  private readonly cells = new Cells();
  private readonly scripts: Scripts;
  private readonly breakpoints: Breakpoints;
  private readonly stops: Stops;
  private readonly variables = new Variables(this.link);
  private readonly inspect: Inspect;
  private started = false;
  private enabled = false;
  private closed = false;
  private seq = 1;
  private queue: Promise<Outcome> = Promise.resolve({ success: true });

  constructor(private readonly options: DebuggerOptions) {
    this.scripts = new Scripts(options.folder, this.cells, options.types);
    this.breakpoints = new Breakpoints(this.link, this.cells, this.scripts);
    this.stops = new Stops(this.link, this.scripts, this.breakpoints, this.event, () =>
      this.variables.release('stop'),
    );
    this.inspect = new Inspect(this.link, this.stops, this.variables, options.types);
  }

  /** A client is attached and the cell or callback that runs is stopped. */
  get stopped(): boolean {
    return this.stops.current !== undefined;
  }

  /** Answers one debug_request's content; never rejects: what fails is told in the response. */
  async request(message: object): Promise<DebugProtocol.Response> {
    const {
      command,
      seq = 0,
      arguments: args,
    } = message as { command?: string; seq?: number; arguments?: Arguments };
    const answer = () => this.answer(String(command), args ?? {});
    // In order, as they came: a front end sets breakpoints and goes on without waiting in between. Only the
    // panel, asked for with every output of a cell, holds nothing up.
    const turn = command === 'inspectVariables' ? answer() : (this.queue = this.queue.then(answer));
    const outcome = await turn;
    return { seq: this.seq++, type: 'response', request_seq: seq, command: String(command), ...outcome };
  }

  /** To be awaited before a cell is handed to the user thread: its breakpoints were set by its code. */
  async beforeExecute(cell: { code: string; count: number }): Promise<void> {
    this.cells.add(cell.code, cell.count);
    if (!this.stops.skipping || !this.enabled) return;
    this.stops.skipping = false;
    await this.link.post('Debugger.setSkipAllPauses', { skip: false }).catch(() => undefined);
  }

  /**
   * Lets a stopped cell run and keeps it from stopping until the next cell. To be awaited before every
   * interrupt: a stopped thread neither acknowledges one nor may be terminated.
   */
  async resumeForInterrupt(): Promise<void> {
    if (!this.enabled) return;
    this.stops.skipping = true;
    const skip = this.link.post('Debugger.setSkipAllPauses', { skip: true }, RELEASE);
    await within(RELEASE, Promise.allSettled([skip, this.stops.release()]));
  }

  /** Lets the user thread run and ends the connection; the process could not end with it open. */
  async close(): Promise<void> {
    this.closed = true;
    if (!this.link.connected) return;
    this.stops.skipping = true;
    if (this.enabled) {
      const disabled = this.link.post('Debugger.disable', {}, RELEASE);
      await within(RELEASE, Promise.allSettled([this.stops.release(), disabled]));
    }
    this.enabled = this.started = false;
    this.link.disconnect();
  }

  private readonly event = (event: string, body: object = {}): void => {
    this.options.event({ seq: this.seq++, type: 'event', event, body });
  };

  private async answer(command: string, args: Arguments): Promise<Outcome> {
    const handler = Object.hasOwn(this.handlers, command) ? this.handlers[command] : undefined;
    try {
      if (this.closed) throw new Error('debug_request: the kernel must be running, and it is shutting down');
      if (!handler) throw new Error(`debug_request: command must be one the debugger knows, got ${command}`);
      return { success: true, body: (await handler(args as never)) ?? {} };
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      return { success: false, message, body: EMPTY[command] ?? {} };
    }
  }

  private async enable(): Promise<void> {
    if (this.enabled) return;
    this.enabled = true;
    this.stops.skipping = false;
    await this.link.post('Debugger.enable');
    await this.link.post('Debugger.setSkipAllPauses', { skip: false });
    await this.link.post('Debugger.setBlackboxPatterns', { patterns: this.scripts.blackbox(false) });
  }

  private async detach(): Promise<void> {
    this.stops.exceptions.clear();
    if (this.enabled) {
      // Or the next breakpoint would stop the cell again before the debugger is off.
      await this.resumeForInterrupt();
      await this.link.post('Debugger.disable');
    }
    this.breakpoints.clear();
    this.scripts.clear();
    await this.variables.release('panel');
    this.enabled = this.started = false;
    this.link.disconnect();
    this.event('terminated');
  }

  private async exceptionBreakpoints(filters: readonly string[]): Promise<void> {
    await this.enable();
    this.stops.exceptions = new Set(filters);
    // The engine counts every cell as caught, because the kernel catches what it throws: so it reports all
    // throws and the rest is decided here.
    await this.link.post('Debugger.setPauseOnExceptions', { state: filters.length > 0 ? 'all' : 'none' });
    const patterns = this.scripts.blackbox(filters.includes('uncaught'));
    await this.link.post('Debugger.setBlackboxPatterns', { patterns });
  }

  private debugInfo(): object {
    return {
      isStarted: this.started,
      hashMethod: HASH_METHOD,
      hashSeed: HASH_SEED,
      tmpFilePrefix: this.cells.prefix,
      tmpFileSuffix: CELL_SUFFIX,
      breakpoints: this.breakpoints.list(),
      stoppedThreads: this.stops.current ? [THREAD] : [],
      richRendering: true,
      exceptionPaths: [],
      copyToGlobals: true,
    };
  }

  private readonly handlers: Record<string, Handler> = {
    initialize: ({ clientID }: DebugProtocol.InitializeRequestArguments) => {
      this.started = true;
      this.variables.withTypes = clientID !== 'jupyterlab';
      this.link.connect();
      return CAPABILITIES;
    },
    attach: async () => {
      await this.enable();
      this.event('initialized');
      this.event('process', {
        name: 'notebook',
        systemProcessId: process.pid,
        isLocalProcess: true,
        startMethod: 'attach',
      });
      this.event('thread', { reason: 'started', threadId: THREAD });
      return undefined;
    },
    configurationDone: () => undefined,
    disconnect: async () => {
      await this.detach();
      return undefined;
    },
    debugInfo: () => this.debugInfo(),
    dumpCell: ({ code }: { code: string }) => ({ sourcePath: this.cells.add(code).path }),
    setBreakpoints: async ({ source, breakpoints, lines }: DebugProtocol.SetBreakpointsArguments) => {
      await this.enable();
      const asked = breakpoints ?? (lines ?? []).map((line) => ({ line }));
      return { breakpoints: await this.breakpoints.set(source.path ?? '', asked) };
    },
    setExceptionBreakpoints: async ({ filters }: DebugProtocol.SetExceptionBreakpointsArguments) => {
      const known = filters.filter((filter) => EXCEPTION_FILTERS.some((one) => one.filter === filter));
      await this.exceptionBreakpoints(known);
      return { breakpoints: filters.map((filter) => ({ verified: known.includes(filter) })) };
    },
    threads: () => ({ threads: [{ id: THREAD, name: 'notebook' }] }),
    stackTrace: (args: DebugProtocol.StackTraceArguments) =>
      stackFrames(this.stops.current, this.scripts, args),
    scopes: ({ frameId }: DebugProtocol.ScopesArguments) =>
      scopesOf(this.stops.frame(frameId), this.variables),
    variables: async ({ variablesReference, start, count }: DebugProtocol.VariablesArguments) => ({
      variables: await this.variables.children(variablesReference, start, count),
    }),
    setVariable: async ({ variablesReference, name, value }: DebugProtocol.SetVariableArguments) =>
      this.variables.assign(variablesReference, name, value),
    inspectVariables: async () => ({ variables: await this.inspect.panelVariables() }),
    richInspectVariables: ({ variableName, frameId }: { variableName: string; frameId?: number }) =>
      this.inspect.rich(variableName, frameId),
    copyToGlobals: async (args: {
      srcVariableName: string;
      dstVariableName: string;
      srcFrameId?: number;
    }) => {
      await this.inspect.copyToGlobals(args.srcVariableName, args.dstVariableName, args.srcFrameId);
      return undefined;
    },
    evaluate: ({ expression, frameId }: DebugProtocol.EvaluateArguments) =>
      this.inspect.evaluate(expression, frameId),
    exceptionInfo: () => {
      const thrown = this.stops.current?.thrown;
      if (!thrown)
        throw new Error('exceptionInfo: the notebook must be stopped at an exception, and it is not');
      const description = thrownText({
        exception: thrown,
        text: '',
        exceptionId: 0,
        lineNumber: 0,
        columnNumber: 0,
      });
      return {
        exceptionId: thrown.className ?? thrown.type,
        description,
        breakMode: this.stops.exceptions.has('raised') ? 'always' : 'unhandled',
        details: { message: description, stackTrace: thrown.description },
      };
    },
    continue: async () => {
      await this.stops.resume();
      return { allThreadsContinued: true };
    },
    next: () => this.stops.resume('stepOver').then(() => undefined),
    stepIn: () => this.stops.resume('stepInto').then(() => undefined),
    stepOut: () => this.stops.resume('stepOut').then(() => undefined),
    pause: async () => {
      await this.enable();
      await this.stops.pause();
      return undefined;
    },
    source: (args: DebugProtocol.SourceArguments) => sourceText(args.source?.path ?? '', this.cells),
    modules: () => {
      const modules = this.scripts.modules().map(({ name, path }, id) => ({ id, name, path }));
      return { modules, totalModules: modules.length };
    },
    loadedSources: () => ({ sources: this.scripts.modules() }),
  };
}

/** Waits for the work, but no longer than `ms`. */
async function within(ms: number, work: Promise<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise((resolve) => (timer = setTimeout(resolve, ms)));
  await Promise.race([work, late]).finally(() => clearTimeout(timer));
}
