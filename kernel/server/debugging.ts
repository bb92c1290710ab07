/** The debugger, loaded with the first debug_request: most notebooks are never debugged. */
import type { Asker } from '../threads/ask.js';
import type { TypesAnswers, TypesRequest } from '../threads/types-messages.js';
import type { Debugger } from './debugger/debugger.js';
import type { JsonObject } from './wire.js';

export interface DebuggingOptions {
  readonly root: string;
  readonly folder: string;
  readonly types: Asker<TypesRequest, TypesAnswers>;
  /** A DAP event for the front end. */
  readonly event: (content: JsonObject) => void;
}

/** Cells remembered for a debugger that may come. */
const MOST_EARLIER = 2000;
/** An interrupt waits no longer for a stopped cell to run on. */
const RESUME_MS = 500;

/** Stands for the debugger until there is one. */
export class Debugging {
  private loaded: Promise<Debugger> | undefined;
  /** Cells that ran before there was a debugger: their functions can get breakpoints later. */
  private earlier: { code: string; count: number }[] = [];

  constructor(private readonly options: DebuggingOptions) {}

  async request(message: JsonObject): Promise<JsonObject> {
    this.loaded ??= this.load();
    this.loaded.catch(() => (this.loaded = undefined));
    return { ...(await (await this.loaded).request(message)) };
  }

  async beforeExecute(cell: { code: string; count: number }): Promise<void> {
    if (this.loaded) return ignoring(async () => (await this.loaded)?.beforeExecute(cell));
    this.earlier.push({ code: cell.code, count: cell.count });
    if (this.earlier.length > MOST_EARLIER) this.earlier.shift();
  }

  /** A stopped cell runs on: a thread that stands still would not see an interrupt. */
  async resumeForInterrupt(): Promise<void> {
    const resumed = ignoring(async () => (await this.loaded)?.resumeForInterrupt());
    if (this.loaded) await Promise.race([resumed, new Promise((resolve) => setTimeout(resolve, RESUME_MS))]);
  }

  async close(): Promise<void> {
    if (this.loaded) await (await this.loaded).close();
  }

  private async load(): Promise<Debugger> {
    const loaded = await load(this.options);
    for (const cell of this.earlier.splice(0)) await loaded.beforeExecute(cell);
    return loaded;
  }
}

/** A debugger that fails must not keep a cell from running or from being interrupted. */
async function ignoring(work: () => Promise<unknown>): Promise<void> {
  try {
    await work();
  } catch {
    // Its own requests report what is wrong with it.
  }
}

async function load(options: DebuggingOptions): Promise<Debugger> {
  const module = await import('./debugger/debugger.js');
  return new module.Debugger(options);
}
