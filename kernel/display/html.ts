/** HTML that fits JupyterLab's light and dark pages: colours are the page's variables, text is escaped, no scripts. */

export function escapeHtml(text: string): string {
  return text
    .replace(/&/g, '&amp;')
    .replace(/</g, '&lt;')
    .replace(/>/g, '&gt;')
    .replace(/"/g, '&quot;')
    .replace(/'/g, '&#39;');
}

/** Colours with fallbacks for pages without JupyterLab's variables. */
export const INK = 'var(--jp-content-font-color1,currentColor)';
export const PALE = 'var(--jp-content-font-color2,#808080)';
export const LINE = 'var(--jp-border-color2,rgba(128,128,128,.35))';
export const WARN = 'var(--jp-error-color1,#d32f2f)';

// Every output carries its rules, since each must stand alone in a saved page; the class keeps them to it.
const STYLE =
  '<style>.assay-v{font-size:12px;line-height:1.45;color:' +
  INK +
  ';overflow-x:auto;max-width:100%}' +
  '.assay-v table{border-collapse:collapse;margin:4px 0!important;border:none;font-size:12px;table-layout:auto;' +
  'font-variant-numeric:tabular-nums}' +
  '.assay-v tr{background:none!important;border:none}' +
  '.assay-v td,.assay-v th{padding:1px 7px!important;text-align:right!important;border:none;white-space:pre;' +
  'vertical-align:top;max-width:36em;overflow:hidden;text-overflow:ellipsis;color:inherit;background:none}' +
  '.assay-v th{font-weight:600}' +
  `.assay-v thead th{border-bottom:1px solid ${LINE}!important}` +
  '.assay-v .l{text-align:left!important}' +
  `.assay-v .p{color:${PALE};font-weight:400}` +
  `.assay-v .w{color:${WARN};font-weight:600}` +
  '.assay-v .m,.assay-v td.n{font-family:var(--jp-code-font-family,ui-monospace,Menlo,Consolas,monospace)}' +
  '.assay-v .f{display:flex;flex-wrap:wrap;gap:4px 22px;align-items:flex-start}' +
  '.assay-v svg{display:block;overflow:visible}</style>';

/** The frame around everything the kernel shows as HTML. */
export function card(inner: string): string {
  return `<div class="assay-v">${STYLE}${inner}</div>`;
}

/** `<b>title</b> fact · fact` */
export function heading(title: string, facts: readonly string[]): string {
  const rest = facts.filter((fact) => fact !== '').map(escapeHtml);
  return `<div><b>${escapeHtml(title)}</b> <span class="p">${rest.join(' · ')}</span></div>`;
}

/** Text under a picture or table. */
export function note(text: string, warn = false): string {
  return `<div class="${warn ? 'w' : 'p'}">${escapeHtml(text)}</div>`;
}

/** Columns of text, right-aligned where told, two spaces apart. */
export function alignText(
  rows: readonly (readonly string[])[],
  right: readonly boolean[] | boolean,
): string[] {
  const widths: number[] = [];
  for (const row of rows) row.forEach((cell, i) => (widths[i] = Math.max(widths[i] ?? 0, cell.length)));
  return rows.map((row) =>
    row
      .map((cell, i) => {
        const isRight = typeof right === 'boolean' ? right : right[i];
        return isRight ? cell.padStart(widths[i]) : cell.padEnd(widths[i]);
      })
      .join('  ')
      .trimEnd(),
  );
}
