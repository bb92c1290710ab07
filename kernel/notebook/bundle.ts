/** MIME bundles as outputs carry them, and what has to be known about front ends to redraw them. */
import { inspect } from 'node:util';
import type { Metadata, MimeBundle } from '../threads/messages.js';

export interface Bundle {
  readonly data: MimeBundle;
  readonly metadata: Metadata;
}

export const PLOTLY = 'application/vnd.plotly.v1+json';
export const WIDGET_VIEW = 'application/vnd.jupyter.widget-view+json';
export const STDOUT = 'application/vnd.jupyter.stdout';
export const STDERR = 'application/vnd.jupyter.stderr';

export function bundleOf(mime: string, payload: unknown): Bundle {
  return { data: { [mime]: payload }, metadata: {} };
}

/** Pixels a movable figure is high unless it says so. */
const PLOTLY_HEIGHT = 450;

/** Nothing to see: what an entry shows that has nothing to show any more. */
export const EMPTY: Bundle = bundleOf('text/plain', '');

/** Bytes as Jupyter carries them inside JSON. */
export function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64');
}

/** Is it drawn by a renderer that keeps its first picture when the same entry is updated? */
export function keepsFirstPicture({ data }: Bundle): boolean {
  return PLOTLY in data;
}

/**
 * The same figure without its movable form. JupyterLab reuses a renderer as long as the preferred MIME type stays,
 * and the one for plotly draws once only: a static picture is redrawn at every update, and one in between
 * makes the page throw the old plotly figure away.
 */
export function still(bundle: Bundle): Bundle {
  if (!keepsFirstPicture(bundle)) return bundle;
  const { [PLOTLY]: movable, ...data } = bundle.data;
  // Inside HTML the picture takes the page's colours; as high as the movable one it leaves the page below in place.
  const picture = data['text/html'] ?? data['image/svg+xml'];
  delete data['image/svg+xml'];
  if (typeof picture === 'string') {
    const height = (movable as { layout?: { height?: unknown } } | null)?.layout?.height;
    const least = typeof height === 'number' ? height : PLOTLY_HEIGHT;
    data['text/html'] = `<div style="min-height:${least}px">${picture}</div>`;
  }
  return {
    data: 'text/plain' in data ? data : { ...data, 'text/plain': 'figure' },
    metadata: bundle.metadata,
  };
}

/** A bundle as one or a few lines of text, for a console. */
export function consoleText({ data }: Bundle): string {
  for (const mime of ['text/plain', 'text/markdown', 'text/latex', STDOUT, STDERR])
    if (typeof data[mime] === 'string') return data[mime];
  return Object.entries(data)
    .map(([mime, payload]) =>
      mime === 'application/json' ? inspect(payload, { depth: 6 }) : `(${mime}: shown in a notebook only)`,
    )
    .join('\n');
}
