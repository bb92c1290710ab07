/** The text of a cell's file: names of earlier cells before the first line, exports after the last. */
import type { Declared } from './names.js';
import { IMPORT_SCOPE, type Cell, type Slots } from './slots.js';

export interface HeaderText {
  readonly header: string;
  readonly uses: readonly Cell[];
}

/** Declarations of the names of earlier cells that the cell uses and does not declare itself. */
export function makeHeader(used: Iterable<string>, declared: readonly Declared[], slots: Slots): HeaderText {
  const own = new Set(declared.map((one) => one.name));
  const uses = new Set<Cell>();
  let header = IMPORT_SCOPE;
  for (const name of used) {
    const live = own.has(name) ? undefined : slots.live.get(name);
    if (!live) continue;
    uses.add(live.cell);
    const place = `__assay$.c${live.cell.slot}.${name}`;
    // Variables are declared and not imported: what is imported cannot be assigned.
    if (live.declared.kind === 'other') header += `import ${name}=${place};`;
    else header += `declare ${live.declared.kind} ${name}:typeof ${place};`;
  }
  // On a line of its own: a doc comment counts as one only at the start of a line.
  return { header: `${header}\n`, uses: [...uses] };
}

/** A text of the compiler without the names that only the header knows. */
export function withoutHeader(text: string): string {
  return text.replace(/__assay\$\.c\d+\./g, '');
}

/** Exports everything the cell declares, so that later cells reach it. */
export function makeFooter(declared: readonly Declared[]): string {
  const names = declared.flatMap((one) => (one.exported ? [] : [one.name]));
  return `\nexport {${names.join(',')}};`;
}
