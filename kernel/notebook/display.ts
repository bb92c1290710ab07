/** `display`: any value, or one form of rich content, in an entry of its own that can be changed later. */
import { randomUUID } from 'node:crypto';
import { inspect } from 'node:util';
import { ArgumentError, show } from '../../lib/core/errors.js';
import { checkBundle } from '../display/hook.js';
import { jsonable } from '../display/json.js';
import type { Metadata, MimeBundle } from '../threads/messages.js';
import { base64, consoleText, EMPTY, keepsFirstPicture, still, type Bundle } from './bundle.js';
import { systemClock, type Clock } from './clock.js';
import { kernelHost, SHOWN, type Output } from './host.js';

export interface EntryOptions {
  /** Sends the messages of an entry that belongs to another cell than the running one. */
  send?: (output: Output) => void;
  /** Milliseconds without a change after which a static picture becomes movable again. */
  rest?: number;
  clock?: Clock;
}

/**
 * One entry among the outputs of a cell: shown by the first call, changed in its place by every later one. A
 * movable figure whose picture has to change is shown static first and movable once no change has come for a
 * while (see `still`); the pause also keeps the two apart where updates in quick succession are thinned.
 */
export class Entry {
  readonly displayId: string = randomUUID();
  private last: Bundle | undefined;
  private wasMovable = false;
  private settling: { bundle: Bundle; cancel: () => void; done: () => void } | undefined;
  private settled: Promise<void> = Promise.resolve();
  private readonly send: (output: Output) => void;

  constructor(private readonly options: EntryOptions = {}) {
    this.send = options.send ?? sendOrPrint;
  }

  /** What is shown, undefined before the first call. */
  get shown(): Bundle | undefined {
    return this.last;
  }

  /** Settles when the entry shows the last bundle in its final form. */
  get atRest(): Promise<void> {
    return this.settled;
  }

  show(bundle: Bundle): void {
    this.settling?.cancel();
    this.settling?.done();
    this.settling = undefined;
    if (!keepsFirstPicture(bundle)) return this.put(bundle);
    if (!this.wasMovable || kernelHost()?.headless) {
      this.wasMovable = true;
      return this.put(bundle);
    }
    this.put(still(bundle));
    const { clock = systemClock, rest = 300 } = this.options;
    this.settled = new Promise((done) => {
      this.settling = { bundle, cancel: clock.after(rest, () => this.settle()), done };
    });
  }

  /** Shows the final form now. */
  settle(): void {
    const settling = this.settling;
    if (!settling) return;
    this.settling = undefined;
    settling.cancel();
    this.put(settling.bundle);
    settling.done();
  }

  private put({ data, metadata }: Bundle): void {
    const update = this.last !== undefined;
    this.last = { data, metadata };
    this.send({ kind: 'display', data, metadata, displayId: this.displayId, update });
  }
}

/** To the notebook; outside one to the console. */
function sendOrPrint(output: Output): void {
  const host = kernelHost();
  if (host) return host.output(output);
  if (output.kind !== 'display') return;
  const text = consoleText(output);
  if (text) process.stdout.write(`${text}\n`);
}

const text = (what: string, value: string): string => {
  if (typeof value !== 'string')
    throw new ArgumentError(`display.${what}: its argument must be a string, got ${show(value)}`);
  return value;
};

/** Rich content by its form. Every call shows the content; what it returns is up to the maker. */
export abstract class RichContent<R> {
  /** Shows a MIME bundle. */
  abstract bundle(data: MimeBundle, metadata?: Metadata): R;

  html(html: string): R {
    return this.bundle({ 'text/html': text('html', html) });
  }
  /** An SVG document, shown as an image. */
  svg(svg: string): R {
    return this.bundle({ 'image/svg+xml': text('svg', svg) });
  }
  markdown(markdown: string): R {
    return this.bundle({ 'text/markdown': text('markdown', markdown) });
  }
  /** A formula between dollar signs, or text with such formulas. */
  latex(latex: string): R {
    return this.bundle({ 'text/latex': text('latex', latex) });
  }
  text(plain: string): R {
    return this.bundle({ 'text/plain': text('text', plain) });
  }
  javascript(code: string): R {
    return this.bundle({ 'text/javascript': text('javascript', code) });
  }
  /** Plain data, shown as a tree that can be opened. */
  json(value: unknown): R {
    const data = jsonOf(value);
    return this.bundle({
      'application/json': data,
      'text/plain': inspect(data, { depth: 6, maxArrayLength: 100 }),
    });
  }
  png(bytes: Uint8Array, size?: ImageSize): R {
    return this.bundle(...image('image/png', bytes, size));
  }
  jpeg(bytes: Uint8Array, size?: ImageSize): R {
    return this.bundle(...image('image/jpeg', bytes, size));
  }
  gif(bytes: Uint8Array, size?: ImageSize): R {
    return this.bundle(...image('image/gif', bytes, size));
  }
  pdf(bytes: Uint8Array): R {
    return this.bundle(...image('application/pdf', bytes));
  }
  /** Content of any MIME type; bytes are sent as base64. */
  raw(mime: string, payload: unknown): R {
    return this.bundle({ [mime]: payload instanceof Uint8Array ? base64(payload) : payload });
  }
}

/** Size on the page in pixels. */
export interface ImageSize {
  width?: number;
  height?: number;
}

function image(mime: string, bytes: Uint8Array, size?: ImageSize): [MimeBundle, Metadata] {
  if (!(bytes instanceof Uint8Array))
    throw new ArgumentError(
      `display.${mime.split('/')[1]}: its argument must be a Uint8Array, got ${show(bytes)}`,
    );
  return [{ [mime]: base64(bytes) }, size ? { [mime]: size } : {}];
}

function jsonOf(value: unknown): unknown {
  let json: string | undefined;
  try {
    json = JSON.stringify(value);
  } catch (error) {
    throw new ArgumentError(
      `display.json: its argument must be plain data, got ${show(value)} (${(error as Error).message})`,
    );
  }
  if (json === undefined)
    throw new ArgumentError(`display.json: its argument must be plain data, got ${show(value)}`);
  return JSON.parse(json);
}

/** An entry among a cell's outputs: `update(value)`, or one of the forms, changes what it shows. */
export class Display extends RichContent<Display> {
  readonly [SHOWN] = true;
  private readonly entry = new Entry();
  private ticket = 0;
  private work: Promise<void> = Promise.resolve();

  /** Names the entry in the protocol. */
  get displayId(): string {
    return this.entry.displayId;
  }

  /** Settles when everything asked for so far is on the page. */
  get shown(): Promise<void> {
    return this.work;
  }

  bundle(data: MimeBundle, metadata: Metadata = {}): Display {
    const checked = { data: checkBundle(data, 'display'), metadata: jsonable(metadata) as Metadata };
    this.ticket++;
    this.entry.show(checked);
    kernelHost()?.hold?.(this.entry.atRest);
    return this;
  }

  /** Shows any value as a cell's last expression would be shown. */
  update(value: unknown): Display {
    const host = kernelHost();
    if (!host) return this.bundle({ 'text/plain': typeof value === 'string' ? value : inspect(value) });
    const ticket = ++this.ticket;
    // The entry takes its place at once: what is printed next comes after it, even if a readback takes long.
    if (!this.entry.shown) this.entry.show(EMPTY);
    const work = host.format(value).then(
      (bundle) => {
        if (ticket !== this.ticket) return undefined;
        this.entry.show(bundle);
        return this.entry.atRest;
      },
      (error: unknown) => host.output({ kind: 'error', ...host.formatError(error) }),
    );
    this.work = Promise.all([this.work, work]).then(() => undefined);
    host.hold?.(this.work);
    return this;
  }
}

/** An entry of its own, shown by its first use. */
export function newDisplay(): Display {
  return new Display();
}

class NewDisplays extends RichContent<Display> {
  bundle(data: MimeBundle, metadata?: Metadata): Display {
    return new Display().bundle(data, metadata);
  }
}

/** What `display` is: a function for any value that has the forms as methods. */
export interface DisplayFunction extends RichContent<Display> {
  (value: unknown): Display;
}

/**
 * Shows any value (`display(x)`) or one form of rich content (`display.html('<b>x</b>')`) below the cell. The
 * result changes what is shown: `const d = display('waiting'); d.update(result)`.
 */
export const display = ((value: unknown) => new Display().update(value)) as DisplayFunction;

const forms = new NewDisplays() as unknown as Record<string, (...args: unknown[]) => Display>;
for (const name of Object.getOwnPropertyNames(RichContent.prototype).concat('bundle')) {
  if (name === 'constructor') continue;
  const value = (...args: unknown[]): Display => forms[name](...args);
  Object.defineProperty(display, name, { value, enumerable: true });
}

/** Empties the output area of the running cell; with `wait` only when the next output comes, without a flicker. */
export function clearOutput(options: { wait?: boolean } = {}): void {
  kernelHost()?.output({ kind: 'clear', wait: options.wait ?? false });
}
