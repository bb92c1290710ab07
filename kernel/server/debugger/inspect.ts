/** What a front end asks about values: the Variables panel, evaluation, rich views, copies to the globals. */
import type { Runtime } from 'node:inspector';
import type { Asker } from '../../threads/ask.js';
import type { MimeBundle } from '../../threads/messages.js';
import type { TypesAnswers, TypesRequest } from '../../threads/types-messages.js';
import type { Link } from './link.js';
import type { Frame, Stops } from './stops.js';
import type { Lifetime, Variable, Variables } from './variables.js';
import { thrownText, typeName, valueText } from './values.js';

/** Milliseconds an evaluation may take. */
const EVALUATION = 10_000;
/** Milliseconds between two readings: JupyterLab asks with every output of a running cell. */
const PANEL_AGE = 100;
const IDENTIFIER = /^[\p{ID_Start}$_][\p{ID_Continue}$\u200c\u200d]*$/u;

/** Renders as a cell's result would be; only possible while the thread's promises make progress. */
const RENDER = `async function (value) {
  const host = globalThis[Symbol.for('assay.kernel')];
  if (host) return JSON.stringify(await host.format(value));
  return (PLAIN)(value);
}`;
/** In a stopped thread no promise settles: what the value says of itself at once, else its text. */
const PLAIN = `(value) => {
  const own = value?.[Symbol.for('Jupyter.display')];
  if (typeof own === 'function') {
    const data = own.call(value);
    if (data && typeof data === 'object' && typeof data.then !== 'function') return JSON.stringify({ data, metadata: {} });
  }
  const { inspect } = globalThis.process.getBuiltinModule('node:util');
  return JSON.stringify({ data: { 'text/plain': inspect(value) }, metadata: {} });
}`;

export interface Rendered {
  readonly data: MimeBundle;
  readonly metadata: Record<string, unknown>;
}

export class Inspect {
  private panel: Variable[] = [];
  private panelTime = 0;
  private asking: Promise<Variable[]> | undefined;

  constructor(
    private readonly link: Link,
    private readonly stops: Stops,
    private readonly variables: Variables,
    private readonly types: Asker<TypesRequest, TypesAnswers>,
  ) {}

  /** The session's own names, as they are after the question; questions that come too fast share an answer. */
  panelVariables(): Promise<Variable[]> {
    if (this.asking) return this.asking;
    const wait = Math.max(0, this.panelTime + PANEL_AGE - Date.now());
    this.asking = new Promise((resolve) => setTimeout(resolve, wait)).then(() => {
      // From here on values are read: who asks now wants later ones.
      this.asking = undefined;
      return this.renewPanel();
    });
    return this.asking;
  }

  private async renewPanel(): Promise<Variable[]> {
    try {
      await this.variables.release('panel');
      this.panel = await this.variables.globals('panel');
    } catch (error) {
      // The thread is inside native code: what was there before is better than an error in the panel.
      if (this.panel.length === 0) throw error;
    }
    this.panelTime = Date.now();
    return this.panel;
  }

  async evaluate(expression: string, frameId?: number): Promise<object> {
    const lifetime: Lifetime = this.stops.current ? 'stop' : 'panel';
    const frame = this.frame(frameId);
    const value = await this.value(expression, frame, lifetime);
    // What is declared in a frame ends with the evaluation.
    if (!frame) await this.types.ask({ type: 'declare', code: expression });
    const { variablesReference } = await this.variables.variable('', value, lifetime);
    return { result: valueText(value), type: typeName(value), variablesReference };
  }

  async rich(name: string, frameId?: number): Promise<Rendered> {
    if (!IDENTIFIER.test(name)) return { data: {}, metadata: {} };
    const stopped = this.stops.current !== undefined;
    const value = await this.value(name, this.frame(frameId), 'stop');
    const { result: global } = await this.link.post<Runtime.EvaluateReturnType>('Runtime.evaluate', {
      expression: 'globalThis',
      objectGroup: 'stop',
    });
    const argument =
      value.objectId !== undefined
        ? { objectId: value.objectId }
        : value.unserializableValue !== undefined
          ? { unserializableValue: value.unserializableValue }
          : { value: value.value as unknown };
    const { result, exceptionDetails } = await this.link.post<Runtime.CallFunctionOnReturnType>(
      'Runtime.callFunctionOn',
      {
        objectId: global.objectId,
        functionDeclaration: stopped ? PLAIN : RENDER.replace('PLAIN', () => PLAIN),
        arguments: [argument],
        returnByValue: true,
        awaitPromise: !stopped,
        silent: true,
      },
      EVALUATION,
    );
    if (exceptionDetails) throw new Error(thrownText(exceptionDetails));
    return JSON.parse(String(result.value)) as Rendered;
  }

  /** Makes a name of a frame a global one, for later cells. */
  async copyToGlobals(source: string, target: string, frameId?: number): Promise<void> {
    for (const name of [source, target])
      if (!IDENTIFIER.test(name))
        throw new Error(
          `copyToGlobals: srcVariableName and dstVariableName must be identifiers, got ${name}`,
        );
    const frame = this.frame(frameId);
    if (!frame)
      throw new Error('copyToGlobals: srcFrameId must be a frame of the present stop, nothing is stopped');
    await this.value(`globalThis[${JSON.stringify(target)}] = ${source}`, frame, 'stop');
    await this.types.ask({ type: 'declare', code: `let ${target}` });
  }

  private frame(id: number | undefined): Frame | undefined {
    if (!this.stops.current) return undefined;
    const frame = this.stops.frame(id);
    if (!frame) throw new Error(`frameId must be a frame of the present stop, got ${id}`);
    return frame;
  }

  private async value(expression: string, frame: Frame | undefined, objectGroup: Lifetime) {
    const common = { objectGroup, generatePreview: true, timeout: EVALUATION };
    const { result, exceptionDetails } = frame
      ? await this.link.post<Runtime.EvaluateReturnType>(
          'Debugger.evaluateOnCallFrame',
          { ...common, callFrameId: frame.engine.callFrameId, expression },
          EVALUATION + 1000,
        )
      : await this.link.post<Runtime.EvaluateReturnType>(
          'Runtime.evaluate',
          // `var` as in cells: the engine refuses to change the kind of a name later.
          { ...common, expression: asVar(expression), replMode: true, awaitPromise: true },
          EVALUATION + 1000,
        );
    if (exceptionDetails) throw new Error(thrownText(exceptionDetails));
    return result;
  }
}

const asVar = (expression: string): string => expression.replace(/^\s*(?:const|let)\s/, 'var ');
