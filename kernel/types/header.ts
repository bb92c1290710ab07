/** The text of a cell's file: names of earlier cells before the first line, exports after the last. */
import type { Declared } from './names.js';
import { IMPORT_SCOPE, type Cell, type Slots } from './slots.js';

export interface HeaderText {
  readonly header: string;
  readonly uses: readonly Cell[];
}

/**
 * Variables are declared and not imported: what is imported cannot be assigned. Of a name whose value and type come
 * from two cells only the type is imported.
 */
function declaration(name: string, { kind, sort }: Declared, place: string, isHalf: boolean): string {
  const imported = isHalf ? sort === 'interface' || sort === 'type' : kind === 'other';
  if (imported) return `import ${name}=${place};`;
  return `declare ${kind === 'other' ? 'const' : kind} ${name}:typeof ${place};`;
}

/** Declarations of the names of earlier cells that the cell uses and does not declare itself. */
export function makeHeader(used: Iterable<string>, declared: readonly Declared[], slots: Slots): HeaderText {
  const own = new Map(declared.map((one) => [one.name, one]));
  const uses = new Set<Cell>();
  let header = IMPORT_SCOPE;
  for (const name of used) {
    const meanings = slots.meanings(name, own.get(name));
    const isHalf = own.has(name) || meanings.length > 1;
    for (const { cell, declared } of meanings) {
      uses.add(cell);
      header += declaration(name, declared, `__assay$.c${cell.slot}.${name}`, isHalf);
    }
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
