/** Runs cells as the kernel does: prepared here, evaluated by an inspector session in REPL mode. */
import { Session, type Runtime } from 'node:inspector';
import { parse, cellText, parseErrors } from '../../../kernel/types/parse.js';
import { transpile, type Transpiled } from '../../../kernel/types/transpile.js';

interface Hidden {
  f: Int32Array;
  stop(): void;
  import(specifier: string, options?: unknown): Promise<unknown>;
  meta: unknown;
}

/** What a thrown cell looks like from outside. */
export class CellError extends Error {}

export class Repl {
  private readonly session = new Session();
  readonly globals: Set<string>;
  /** Specifiers in the order they were imported. */
  readonly imported: string[] = [];
  modules: Record<string, unknown> = {};
  rounds = 0;
  /** Loops are stopped after so many rounds. */
  most = Infinity;
  count = 0;

  constructor() {
    this.globals = new Set(Object.getOwnPropertyNames(globalThis));
    this.session.connect();
    const round = () => Number(++this.rounds > this.most);
    const flags = new Proxy(new Int32Array(4), {
      get: (target, key): unknown => (key === '0' ? round() : Reflect.get(target, key)),
    });
    const hidden: Hidden = {
      f: flags,
      stop: () => {
        throw new Error('stopped');
      },
      import: async (specifier, options) => {
        this.imported.push(options === undefined ? specifier : `${specifier} ${JSON.stringify(options)}`);
        const found = this.modules[specifier];
        return found ?? import(specifier);
      },
      meta: { url: 'file:///notebook/' },
    };
    Object.defineProperty(globalThis, '__assay', { value: hidden, configurable: true, enumerable: false });
  }

  prepare(code: string): Transpiled {
    const cell = cellText(code);
    const source = parse(cell.text);
    const [error] = parseErrors(source);
    if (error) throw new CellError(`syntax: ${JSON.stringify(error.messageText)}`);
    return transpile(cell, source, this.globals);
  }

  /** Value of the cell; a promise is returned as V8 hands it out, that is as an object. */
  async run(code: string): Promise<unknown> {
    return this.evaluate(`${this.prepare(code).body}\n//# sourceURL=cell-${++this.count}.ts`);
  }

  evaluate(js: string): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const options = { expression: js, replMode: true, awaitPromise: true, generatePreview: false };
      this.session.post('Runtime.evaluate', options, (error, answer) => {
        const reply = answer as Runtime.EvaluateReturnType;
        if (error) reject(error);
        else if (reply.exceptionDetails) reject(new CellError(describe(reply.exceptionDetails)));
        else resolve(this.valueOf(reply.result));
      });
    });
  }

  private valueOf(result: Runtime.RemoteObject): unknown {
    if (result.objectId === undefined) return result.value;
    let value: unknown;
    (globalThis as Record<string, unknown>).__take = (taken: unknown) => {
      value = taken;
    };
    this.session.post(
      'Runtime.callFunctionOn',
      { objectId: result.objectId, functionDeclaration: 'function () { globalThis.__take(this); }' },
      () => undefined,
    );
    return value;
  }

  close(): void {
    this.session.disconnect();
  }
}

function describe(details: Runtime.ExceptionDetails): string {
  return details.exception?.description ?? String(details.exception?.value ?? details.text);
}
