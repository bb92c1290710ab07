/** What `variablesReference` numbers stand for, and how they unfold: scopes, objects, pages of long arrays. */
import type { Runtime } from 'node:inspector';
import type { DebugProtocol } from '@vscode/debugprotocol';
import type { Link } from './link.js';
import { lengthOf, thrownText, typeName, valueText } from './values.js';

export type Variable = DebugProtocol.Variable;

/** Objects held for a front end: until the thread goes on, or until the panel is renewed. */
export type Lifetime = 'stop' | 'panel';

/** A scope of a frame: one or more objects of the engine, the inmost first. */
export interface ScopeHolder {
  readonly kind: 'scope';
  readonly objects: readonly string[];
  /** Where an assignment to one of its names is evaluated. */
  readonly callFrameId: string;
}
/** The user's own global names. */
export interface GlobalsHolder {
  readonly kind: 'globals';
}
interface ObjectHolder {
  readonly kind: 'object';
  readonly objectId: string;
  readonly elements?: { readonly start: number; readonly count: number };
}
type Holder = (ScopeHolder | GlobalsHolder | ObjectHolder) & { readonly lifetime: Lifetime };

/** Elements of an array shown at once; longer ones unfold into pages. */
const PAGE = 100;
const MOST_PROPERTIES = 1000;
/** Written by TypeScript for code that needs helpers; never the user's. */
const HELPER = /^__(?:assay|esDecorate|runInitializers|propKey|setFunctionName|decorate|param|metadata)$/;
const RESOURCES = /^__(?:addDisposableResource|disposeResources|rewriteRelativeImportExtension)$/;
/** Enumerable globals of a fresh thread: the platform's, not the user's. */
const PLATFORM = Object.keys(globalThis);

/** The user's names: `var` of cells cannot be configured, unlike what the platform puts on the global object. */
const OWN_GLOBALS = `(() => {
  const own = Object.create(null), platform = new Set(${JSON.stringify(PLATFORM)});
  for (const name of Object.getOwnPropertyNames(globalThis)) {
    const d = Object.getOwnPropertyDescriptor(globalThis, name);
    if (d && 'value' in d && d.enumerable && !(d.configurable && platform.has(name))) own[name] = d.value;
  }
  LEXICAL
  return own;
})()`;

export class Variables {
  private readonly holders = new Map<number, Holder>();
  private next = 1;
  /**
   * False for JupyterLab, whose tree shows a variable's type in place of its value unless the type is one of
   * Python's words for numbers and texts. The value's text names the class of an object anyway.
   */
  withTypes = true;

  constructor(private readonly link: Link) {}

  hold(holder: (ScopeHolder | GlobalsHolder | ObjectHolder) & { lifetime: Lifetime }): number {
    this.holders.set(this.next, holder);
    return this.next++;
  }

  /** Forgets the references of a lifetime and lets the engine collect their objects. */
  async release(lifetime: Lifetime): Promise<void> {
    for (const [reference, holder] of this.holders)
      if (holder.lifetime === lifetime) this.holders.delete(reference);
    if (this.link.connected) await this.link.post('Runtime.releaseObjectGroup', { objectGroup: lifetime });
  }

  /** What a reference unfolds to. One that is no longer held (the thread went on) unfolds to nothing. */
  async children(reference: number, start?: number, count?: number): Promise<Variable[]> {
    const holder = this.holders.get(reference);
    if (!holder) return [];
    try {
      return await this.unfold(holder, start, count);
    } catch (error) {
      // Released while the question, or the one that led to it, was under way.
      if (/Could not find object/.test(String(error))) return [];
      throw error;
    }
  }

  private async unfold(holder: Holder, start?: number, count?: number): Promise<Variable[]> {
    if (holder.kind === 'globals') return this.globals(holder.lifetime);
    if (holder.kind === 'scope') return this.scope(holder);
    if (start !== undefined && count !== undefined && count > 0)
      return this.elements(holder.objectId, start, count, holder.lifetime);
    if (holder.elements) {
      const { start: from, count: many } = holder.elements;
      if (many > PAGE) return this.pages(holder.objectId, from, many, holder.lifetime);
      return this.elements(holder.objectId, from, many, holder.lifetime);
    }
    return this.properties(holder.objectId, holder.lifetime);
  }

  async globals(lifetime: Lifetime): Promise<Variable[]> {
    const { names } = await this.link.post<{ names: string[] }>('Runtime.globalLexicalScopeNames');
    const lexical = names
      .map((name) => `try { own[${JSON.stringify(name)}] = ${name}; } catch {}`)
      .join('\n');
    const { result } = await this.link.post<Runtime.EvaluateReturnType>('Runtime.evaluate', {
      expression: OWN_GLOBALS.replace('LEXICAL', () => lexical),
      objectGroup: lifetime,
      silent: true,
    });
    if (result.objectId === undefined) return [];
    const all = await this.properties(result.objectId, lifetime);
    const own = all.filter(({ name }) => !HELPER.test(name) && !RESOURCES.test(name));
    // Data first: functions are known from the notebook's own text.
    const isFunction = ({ value }: Variable) => /^(?:ƒ|class\b)/.test(value);
    return [...own.filter((v) => !isFunction(v)), ...own.filter(isFunction)];
  }

  private async scope(holder: ScopeHolder & { lifetime: Lifetime }): Promise<Variable[]> {
    const found = new Map<string, Variable>();
    for (const objectId of holder.objects)
      for (const variable of await this.properties(objectId, holder.lifetime, true))
        if (!found.has(variable.name)) found.set(variable.name, variable);
    return [...found.values()];
  }

  private async properties(objectId: string, lifetime: Lifetime, scope = false): Promise<Variable[]> {
    const { result, internalProperties = [] } = await this.link.post<Runtime.GetPropertiesReturnType>(
      'Runtime.getProperties',
      { objectId, ownProperties: true, generatePreview: true },
    );
    const variables: Variable[] = [];
    for (const property of result.slice(0, MOST_PROPERTIES)) {
      if (property.name === '__proto__') continue;
      // A name whose declaration has not been reached has neither a value nor an accessor.
      if (property.value) variables.push(await this.variable(property.name, property.value, lifetime));
      else if (scope) variables.push(plain(property.name, '(not yet assigned)'));
      else variables.push(plain(property.name, '(getter)'));
    }
    const entries = internalProperties.find((property) => property.name === '[[Entries]]')?.value;
    if (entries) variables.push(await this.variable('[[Entries]]', entries, lifetime));
    if (result.length > MOST_PROPERTIES)
      variables.push(plain('…', `${result.length - MOST_PROPERTIES} more`));
    return variables;
  }

  private async elements(
    objectId: string,
    start: number,
    count: number,
    lifetime: Lifetime,
  ): Promise<Variable[]> {
    const { result } = await this.link.post<Runtime.CallFunctionOnReturnType>('Runtime.callFunctionOn', {
      objectId,
      functionDeclaration: 'function (start, end) { return Array.prototype.slice.call(this, start, end); }',
      arguments: [{ value: start }, { value: start + count }],
      objectGroup: lifetime,
      silent: true,
    });
    if (result.objectId === undefined) return [];
    const items = await this.properties(result.objectId, lifetime);
    return items
      .filter(({ name }) => /^\d+$/.test(name))
      .map((item) => ({ ...item, name: String(Number(item.name) + start) }));
  }

  /** At most a hundred pages, each again at most a hundred, down to single elements. */
  private pages(objectId: string, start: number, count: number, lifetime: Lifetime): Variable[] {
    let size = PAGE;
    while (count / size > PAGE) size *= PAGE;
    return Array.from({ length: Math.ceil(count / size) }, (_, i) => {
      const from = start + i * size;
      const many = Math.min(size, start + count - from);
      const elements = { start: from, count: many };
      const variablesReference = this.hold({ kind: 'object', objectId, elements, lifetime });
      return { name: `[${from}…${from + many - 1}]`, value: '', variablesReference };
    });
  }

  /** One named value with a reference when it unfolds. */
  async variable(name: string, value: Runtime.RemoteObject, lifetime: Lifetime): Promise<Variable> {
    const text = value.className === 'Tensor' ? await this.tensorText(value) : valueText(value);
    const variable: Variable = { name, value: text, evaluateName: name, variablesReference: 0 };
    if (this.withTypes) variable.type = typeName(value);
    // JupyterLab unfolds every function, so functions need a reference as well.
    if (value.objectId === undefined) return variable;
    const long = value.subtype === 'array' || value.subtype === 'typedarray' ? (lengthOf(value) ?? 0) : 0;
    const elements = long > PAGE ? { start: 0, count: long } : undefined;
    variable.variablesReference = this.hold({ kind: 'object', objectId: value.objectId, elements, lifetime });
    if (elements) variable.indexedVariables = long;
    return variable;
  }

  /** Type and shape of a tensor: its fields say nothing to a reader. */
  private async tensorText(value: Runtime.RemoteObject): Promise<string> {
    const { result } = await this.link.post<Runtime.CallFunctionOnReturnType>('Runtime.callFunctionOn', {
      objectId: value.objectId,
      functionDeclaration:
        'function () { return Array.isArray(this.shape) ? `Tensor ${this.dtype} [${this.shape.join(", ")}]` : ""; }',
      returnByValue: true,
      silent: true,
    });
    return typeof result.value === 'string' && result.value !== '' ? result.value : valueText(value);
  }

  /** Assigns to a name of a scope or a property of an object; answers the new value. */
  async assign(reference: number, name: string, expression: string): Promise<Variable> {
    const holder = this.holders.get(reference);
    if (!holder)
      throw new Error('setVariable: variablesReference must be of the present stop, the thread went on');
    if (holder.kind === 'object') return this.assignProperty(holder, name, expression);
    const code = `${name} = (${expression})`;
    const params = { expression: code, objectGroup: holder.lifetime, generatePreview: true, silent: true };
    const { result, exceptionDetails } =
      holder.kind === 'scope'
        ? await this.link.post<Runtime.EvaluateReturnType>('Debugger.evaluateOnCallFrame', {
            ...params,
            callFrameId: holder.callFrameId,
          })
        : await this.link.post<Runtime.EvaluateReturnType>('Runtime.evaluate', params);
    if (exceptionDetails) throw new Error(thrownText(exceptionDetails));
    return this.variable(name, result, holder.lifetime);
  }

  private async assignProperty(
    holder: ObjectHolder & { lifetime: Lifetime },
    name: string,
    expression: string,
  ) {
    const { result, exceptionDetails } = await this.link.post<Runtime.CallFunctionOnReturnType>(
      'Runtime.callFunctionOn',
      {
        objectId: holder.objectId,
        functionDeclaration: `function (name) { return this[name] = (${expression}); }`,
        arguments: [{ value: name }],
        objectGroup: holder.lifetime,
        generatePreview: true,
        silent: true,
      },
    );
    if (exceptionDetails) throw new Error(thrownText(exceptionDetails));
    return this.variable(name, result, holder.lifetime);
  }
}

const plain = (name: string, value: string): Variable => ({ name, value, variablesReference: 0 });
