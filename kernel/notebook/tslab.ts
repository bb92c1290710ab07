/**
 * The display API of tslab 1.0, so that notebooks written for it run here: `import * as tslab from 'tslab'`.
 * One MIME type an entry, shown at once.
 */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { base64, bundleOf } from './bundle.js';
import { Entry } from './display.js';
import { needHost } from './host.js';

/** Forms of rich content. */
export interface Display {
  javascript(s: string): void;
  html(s: string): void;
  markdown(s: string): void;
  latex(s: string): void;
  svg(s: string): void;
  png(b: Uint8Array): void;
  jpeg(b: Uint8Array): void;
  gif(b: Uint8Array): void;
  pdf(b: Uint8Array): void;
  text(s: string): void;
  /** Content of any type; bytes are sent as base64. */
  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- as tslab declares it: programs assign it
  raw(contentType: string, b: string | Uint8Array): any;
}

/** Where each piece of content goes: an entry of its own, or always the same one. */
function displayInto(entry: () => Entry): Display {
  const raw = (mime: string, payload: unknown): void => {
    needHost('tslab.display');
    entry().show(bundleOf(mime, payload instanceof Uint8Array ? base64(payload) : payload));
  };
  return {
    javascript: (s) => raw('text/javascript', s),
    html: (s) => raw('text/html', s),
    markdown: (s) => raw('text/markdown', s),
    latex: (s) => raw('text/latex', s),
    svg: (s) => raw('image/svg+xml', s),
    png: (b) => raw('image/png', b),
    jpeg: (b) => raw('image/jpeg', b),
    gif: (b) => raw('image/gif', b),
    pdf: (b) => raw('application/pdf', b),
    text: (s) => raw('text/plain', s),
    raw,
  };
}

/** Shows content, each piece in an entry of its own. */
export const display: Display = displayInto(() => new Entry());

/** A display that is a single entry: the first call shows it, later calls overwrite it. */
export function newDisplay(): Display {
  const entry = new Entry();
  return displayInto(() => entry);
}

/** Read from its package file: the compiler itself takes a third of a second to load. */
function typescriptVersion(): string {
  try {
    const file = createRequire(import.meta.url).resolve('typescript/package.json');
    return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version;
  } catch {
    return 'unknown';
  }
}

/** Versions of the API spoken here, of the compiler and of Node. */
export const versions: { tslab: string; typescript: string; node: string } = {
  tslab: '1.0.22',
  typescript: typescriptVersion(),
  node: process.version,
};
