/** Errors of GPU work as a reader wants them: one for each cause, shaders with the offending line marked. */
import { codeFrame } from '../display/code-frame.js';

/** Told apart up to this many in one execution; of the others only the number is said. */
const MOST = 10;
const FRAMES = 30;
/** What dawn says of objects that failed to be made earlier. */
const CONSEQUENCE = /^\[Invalid [^\]]*\]+ is invalid due to a previous error/;

/** An error that no error scope took. */
export class GpuError extends Error {
  constructor(name: string, message: string) {
    super(message);
    Object.defineProperty(this, 'name', { value: name, configurable: true, writable: true });
  }
}

interface Entry {
  readonly error: GpuError;
  /** As dawn said it, to know it again. */
  readonly said: string;
  shader?: { readonly module: GPUShaderModule; readonly code: string };
  times: number;
}

/** The errors of one execution, in order of their causes. */
export class GpuErrors {
  private readonly entries: Entry[] = [];
  private readonly others: Error[] = [];
  private consequences = 0;
  private more = 0;

  /** Call from inside the failing call: its stack becomes the error's. */
  add(error: GPUError): void {
    const said = error.message.trim();
    const known = this.entries.find((entry) => entry.said === said);
    if (known) known.times++;
    else if (this.entries.length && CONSEQUENCE.test(said)) this.consequences++;
    else if (this.entries.length >= MOST) this.more++;
    else this.entries.push({ error: captured(error.constructor.name, said), said, times: 1 });
  }

  /** An error that is a cause of its own, such as a lost device. */
  push(error: Error): void {
    this.others.push(error);
  }

  /** The module whose creation made the last error. */
  shaderModule(module: GPUShaderModule, code: string): void {
    const last = this.entries.at(-1);
    if (last && !last.shader) last.shader = { module, code };
  }

  /** All errors, with what the compiler says of failed shaders. */
  async finish(): Promise<Error[]> {
    for (const { error, shader } of this.entries) if (shader) await explain(error, shader);
    const last = this.entries.at(-1);
    for (const { error, times } of this.entries) if (times > 1) addTo(error, `(${times} times)`);
    if (last && this.consequences)
      addTo(last.error, `(it has caused ${count(this.consequences, 'later error')} in this cell)`);
    if (last && this.more) addTo(last.error, `(and ${count(this.more, 'other error')})`);
    return [...this.entries.map((entry) => entry.error), ...this.others];
  }
}

/** The device is gone: why, and what to do. */
export function deviceLost(info: GPUDeviceLostInfo): Error {
  return new GpuError(
    'GPUDeviceLostError',
    `the GPU device was lost (${info.reason || 'unknown'}): ${info.message.trim()}\n` +
      'Its buffers and tensors are gone. Ask the adapter for a new device, or call "await useBackend(\'webgpu\')" again, ' +
      'and make them anew; a driver that resets after a long dispatch needs smaller dispatches.',
  );
}

function captured(name: string, message: string): GpuError {
  const limit = Error.stackTraceLimit;
  Error.stackTraceLimit = FRAMES;
  const error = new GpuError(name, message);
  Error.stackTraceLimit = limit;
  // Formatted now; the frames between the failing call and here are the kernel's and say nothing.
  const { stack } = error;
  if (stack !== undefined)
    setStack(
      error,
      stack
        .split('\n')
        .filter((line) => !OWN.test(line))
        .join('\n'),
    );
  return error;
}
const OWN = /^\s+at .*(kernel[\\/]user[\\/]gpu-|node:|node_modules[\\/]webgpu[\\/]|<anonymous>\)?$)/;

function setStack(error: Error, stack: string): void {
  Object.defineProperty(error, 'stack', { value: stack, configurable: true, writable: true });
}

/** Changes the message, in the stack too. */
function setMessage(error: Error, message: string): void {
  const { stack, message: before, name } = error;
  const at = stack?.indexOf(before) ?? -1;
  error.message = message;
  if (stack === undefined) return;
  const frames = at < 0 ? '' : stack.slice(at + before.length);
  setStack(error, `${name}: ${message}${frames}`);
}

function addTo(error: Error, note: string): void {
  setMessage(error, `${error.message}\n${note}`);
}

function count(n: number, noun: string): string {
  return `${n} ${noun}${n === 1 ? '' : 's'}`;
}

/** Replaces dawn's text by the compiler's messages, each with its place in the shader. */
async function explain(error: GpuError, shader: NonNullable<Entry['shader']>): Promise<void> {
  const messages = await compilerMessages(shader.module);
  if (!messages.length) return;
  const errors = messages.filter((message) => message.type === 'error');
  const { label } = shader.module;
  const file = label ? `${label}.wgsl`.replace(/(\.wgsl)+$/, '.wgsl') : 'shader.wgsl';
  const frames = messages.slice(0, MOST).map((message) =>
    codeFrame({
      file,
      text: shader.code,
      line: Math.max(1, message.lineNum),
      column: message.linePos || undefined,
      length: message.length || 1,
      message: message.message.trim(),
      label: message.type,
      colour: false,
    }),
  );
  error.name = 'WGSLError';
  const first = errors[0] ?? messages[0];
  const head = `the shader ${label ? `"${label}" ` : ''}does not compile: ${first.message.trim()} (line ${first.lineNum})`;
  setMessage(error, [head, ...frames].join('\n\n'));
}

async function compilerMessages(module: GPUShaderModule): Promise<readonly GPUCompilationMessage[]> {
  try {
    return (await module.getCompilationInfo()).messages;
  } catch {
    // The module's device may be gone; dawn's own text stays.
    return [];
  }
}
