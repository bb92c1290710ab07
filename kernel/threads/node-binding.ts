/** Parts of Node that have no public name. Whoever uses one must do without where it is absent. */
import { Session, type Runtime } from 'node:inspector';

export type Binding = Record<string, unknown>;
type Load = (name: string) => Binding;

/** One of Node's own bindings, or undefined where this Node does not give it away. */
export function nodeBinding(name: string): Binding | undefined {
  return attempt(() => publicLoad()?.(name)) ?? attempt(() => innerLoad()?.(name));
}

function attempt<T>(body: () => T): T | undefined {
  try {
    return body();
  } catch {
    return undefined;
  }
}

/** process.binding, which up to Node 22 knows what the kernel needs. */
function publicLoad(): Load | undefined {
  const host = process as unknown as { binding?: Load; noDeprecation?: boolean };
  return (name) => {
    const before = host.noDeprecation;
    // The note on deprecation is for authors, and would stand in the terminal of every user.
    host.noDeprecation = true;
    try {
      return host.binding!(name);
    } finally {
      host.noDeprecation = before;
    }
  };
}

/** What process.binding itself loads by: a variable of its closure, which the inspector shows. */
function innerLoad(): Load | undefined {
  const session = new Session();
  session.connect();
  try {
    return closureVariable(session, 'process.binding', 'internalBinding') as Load | undefined;
  } finally {
    session.disconnect();
  }
}

/** The value of a variable in the closure of the function that `expression` gives. */
function closureVariable(session: Session, expression: string, name: string): unknown {
  const { result } = post<Runtime.EvaluateReturnType>(session, 'Runtime.evaluate', { expression });
  const { internalProperties = [] } = properties(session, result.objectId);
  const scopes = internalProperties.find((property) => property.name === '[[Scopes]]')?.value;
  for (const scope of properties(session, scopes?.objectId).result) {
    if (scope.value?.description === 'Global' || scope.value?.objectId === undefined) continue;
    const found = properties(session, scope.value.objectId).result.find((variable) => variable.name === name);
    if (found?.value?.objectId !== undefined) return real(session, found.value.objectId);
  }
  return undefined;
}

function properties(session: Session, objectId: string | undefined): Runtime.GetPropertiesReturnType {
  return post(session, 'Runtime.getProperties', { objectId, ownProperties: true });
}

/** The value behind the inspector's picture of it: the inspector calls a function with it. */
function real(session: Session, objectId: string): unknown {
  const slot = '__assayBinding';
  let value: unknown;
  const take = (taken: unknown) => (value = taken);
  Object.defineProperty(globalThis, slot, { value: take, configurable: true });
  const functionDeclaration = `function () { ${slot}(this); }`;
  post(session, 'Runtime.callFunctionOn', { objectId, functionDeclaration });
  Reflect.deleteProperty(globalThis, slot);
  return value;
}

/** A session in its own thread answers at once. */
function post<T>(session: Session, method: string, parameters: object): T {
  let answer: T | undefined;
  session.post(method, parameters, (error: Error | null, result?: unknown) => {
    if (!error) answer = result as T;
  });
  if (answer === undefined) throw new Error(`${method}: the inspector gave no answer`);
  return answer;
}
