/** Runs JavaScript in the engine's REPL mode and hands back the real value, not the inspector's picture of it. */
import { Session, type Runtime } from 'node:inspector';
import type { Place } from '../threads/types-messages.js';
import { CellInterrupted } from './executions.js';

/** `at`: the place in the JavaScript, lines and columns from 1, of an error that has no stack. */
export type Evaluated = { ok: true; value: unknown } | { ok: false; error: unknown; at?: Place };

/** What `__assay` needs of the evaluator: the way a value gets from the inspector to this module. */
export type Keep = (value: unknown) => void;

const UNSERIALIZABLE: Record<string, unknown> = {
  NaN: NaN,
  Infinity: Infinity,
  '-Infinity': -Infinity,
  '-0': -0,
};

/** The value of a remote object that carries it itself. */
function carried(remote: Runtime.RemoteObject): unknown {
  const text = remote.unserializableValue;
  if (text === undefined) return remote.subtype === 'null' ? null : remote.value;
  return text in UNSERIALIZABLE ? UNSERIALIZABLE[text] : BigInt(text.replace(/n$/, ''));
}

export class Evaluator {
  private readonly session = new Session();
  private kept: unknown;
  private groups = 0;
  /** Put on `__assay` as `keep`. */
  readonly keep: Keep = (value) => {
    this.kept = value;
  };

  constructor() {
    this.session.connect();
  }

  close(): void {
    this.session.disconnect();
  }

  /** Runs a cell's JavaScript; its promise is awaited. Never rejects. */
  async evaluate(expression: string): Promise<Evaluated> {
    const objectGroup = `execution-${++this.groups}`;
    try {
      const answer = await this.post(expression, objectGroup);
      const { exceptionDetails } = answer;
      if (!exceptionDetails) return { ok: true, value: this.real(answer.result) };
      const { exception, text, stackTrace, lineNumber, columnNumber } = exceptionDetails;
      const at = stackTrace ? undefined : { line: lineNumber + 1, column: columnNumber + 1 };
      return { ok: false, error: exception ? this.real(exception) : new Error(text), at };
    } catch (error) {
      return { ok: false, error: ended(error) };
    } finally {
      this.session.post('Runtime.releaseObjectGroup', { objectGroup });
    }
  }

  /** Own and inherited names of the value of an expression, found without running anything that has effects. */
  members(expression: string): string[] {
    const objectGroup = `members-${++this.groups}`;
    try {
      const names = this.memberNames(expression, objectGroup);
      return Array.isArray(names) ? (names as string[]) : [];
    } finally {
      this.session.post('Runtime.releaseObjectGroup', { objectGroup });
    }
  }

  private memberNames(expression: string, objectGroup: string): unknown {
    let names: unknown;
    const options = { throwOnSideEffect: true, silent: true, objectGroup };
    const request = { ...options, expression, timeout: 250 };
    this.session.post('Runtime.evaluate', request, (error, answer?: Runtime.EvaluateReturnType) => {
      if (error || !answer || answer.exceptionDetails) return;
      const { objectId, type } = answer.result;
      if (objectId === undefined) {
        names = namesOf(type === 'undefined' ? undefined : carried(answer.result));
        return;
      }
      const functionDeclaration = String(namesOf);
      const call = {
        ...options,
        objectId,
        functionDeclaration,
        arguments: [{ objectId }],
        returnByValue: true,
      };
      type Called = Runtime.CallFunctionOnReturnType;
      this.session.post('Runtime.callFunctionOn', call, (failure, found?: Called) => {
        if (!failure && found && !found.exceptionDetails) names = found.result.value;
      });
    });
    return names;
  }

  private post(expression: string, objectGroup: string): Promise<Runtime.EvaluateReturnType> {
    const request = { expression, replMode: true, awaitPromise: true, objectGroup };
    return new Promise((resolve, reject) => {
      this.session.post('Runtime.evaluate', request, (error, answer?: Runtime.EvaluateReturnType) => {
        // The inspector's errors are plain objects.
        if (answer) resolve(answer);
        else reject(new Error(error?.message ?? 'no answer'));
      });
    });
  }

  /** The value behind a remote object: the inspector calls `keep` with it, at once. */
  private real(remote: Runtime.RemoteObject): unknown {
    const { objectId } = remote;
    if (objectId === undefined) return carried(remote);
    this.kept = undefined;
    const functionDeclaration = 'function (value) { __assay.keep(value); }';
    this.session.post('Runtime.callFunctionOn', {
      objectId,
      functionDeclaration,
      arguments: [{ objectId }],
      silent: true,
    });
    const value = this.kept;
    this.kept = undefined;
    return value;
  }
}

/** How the inspector says that the server's terminateExecution ended the code. */
function ended(error: unknown): unknown {
  const text = error instanceof Error ? error.message : String((error as { message?: unknown })?.message);
  // Node 24 words it as an internal error.
  return /terminated|internal error/i.test(text)
    ? new CellInterrupted()
    : new Error(`the cell ended without a result: ${text}`);
}

/** Sent to the inspector as text: stands alone. */
function namesOf(value: unknown): string[] {
  const names = new Set<string>();
  let at: unknown = value === null || value === undefined ? null : Object(value);
  while (at !== null && at !== undefined && names.size < 5000) {
    // An array's or tensor's indices are no names; listing millions of them would only take time.
    if (!ArrayBuffer.isView(at) && !Array.isArray(at))
      for (const name of Object.getOwnPropertyNames(at)) names.add(name);
    at = Object.getPrototypeOf(at);
  }
  return [...names].slice(0, 5000);
}
