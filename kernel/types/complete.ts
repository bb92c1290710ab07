/** Completion in a cell. */
import ts from '#typescript';
import type { Completion, TypesAnswers } from '../threads/types-messages.js';
import { withoutHeader } from './header.js';
import type { Service } from './service.js';
import type { Cell } from './slots.js';

/** Front ends filter as the reader types on; more than this nobody scrolls through. */
const MOST_COMPLETIONS = 400;
/** Signatures cost a look-up each; they are given to the entries a reader sees first. */
const MOST_SIGNATURES = 30;
const SIGNATURES_MS = 60;
const HIDDEN = /^__assay\$?/;

/** The compiler's words for kinds, where a reader of completions expects another. */
const KINDS: Record<string, string> = {
  [ts.ScriptElementKind.constElement]: 'variable',
  [ts.ScriptElementKind.letElement]: 'variable',
  [ts.ScriptElementKind.variableElement]: 'variable',
  [ts.ScriptElementKind.localVariableElement]: 'variable',
  [ts.ScriptElementKind.variableUsingElement]: 'variable',
  [ts.ScriptElementKind.variableAwaitUsingElement]: 'variable',
  [ts.ScriptElementKind.parameterElement]: 'variable',
  [ts.ScriptElementKind.alias]: 'module',
  [ts.ScriptElementKind.externalModuleName]: 'module',
  [ts.ScriptElementKind.directory]: 'folder',
  [ts.ScriptElementKind.scriptElement]: 'file',
  [ts.ScriptElementKind.memberVariableElement]: 'property',
  [ts.ScriptElementKind.memberGetAccessorElement]: 'property',
  [ts.ScriptElementKind.memberSetAccessorElement]: 'property',
  [ts.ScriptElementKind.memberFunctionElement]: 'method',
  [ts.ScriptElementKind.constructorImplementationElement]: 'constructor',
  [ts.ScriptElementKind.localFunctionElement]: 'function',
  [ts.ScriptElementKind.localClassElement]: 'class',
  [ts.ScriptElementKind.interfaceElement]: 'interface',
  [ts.ScriptElementKind.typeElement]: 'type',
  [ts.ScriptElementKind.primitiveType]: 'type',
  [ts.ScriptElementKind.enumMemberElement]: 'enum member',
  [ts.ScriptElementKind.moduleElement]: 'namespace',
  [ts.ScriptElementKind.string]: 'string',
  [ts.ScriptElementKind.warning]: 'text',
};

/** The part of the code that a completion replaces: the identifier the cursor stands in or after. */
function identifierAt(code: string, cursor: number): { start: number; end: number } {
  let start = cursor;
  while (start > 0 && ts.isIdentifierPart(code.charCodeAt(start - 1), ts.ScriptTarget.ESNext)) start--;
  let end = cursor;
  while (end < code.length && ts.isIdentifierPart(code.charCodeAt(end), ts.ScriptTarget.ESNext)) end++;
  return { start, end };
}

const PREFERENCES: ts.GetCompletionsAtPositionOptions = {
  includeCompletionsForModuleExports: false,
  includeCompletionsWithInsertText: true,
  // An alias is worth what it stands for.
  includeSymbol: true,
  includeCompletionsWithObjectLiteralMethodSnippets: false,
  includeAutomaticOptionalChainCompletions: true,
  importModuleSpecifierEnding: 'js',
  quotePreference: 'single',
};

interface Found {
  readonly entry: ts.CompletionEntry;
  readonly text: string;
  readonly rank: number;
}

/** Exact prefixes first, then those that differ in case, then names that hold the letters in order. */
function rankOf(name: string, prefix: string): number {
  if (name.startsWith(prefix)) return 0;
  const lower = name.toLowerCase();
  const wanted = prefix.toLowerCase();
  if (lower.startsWith(wanted)) return 1;
  return prefix.length > 1 && lower.includes(wanted) ? 2 : -1;
}

function signatureOf(
  service: Service,
  cell: Cell,
  offset: number,
  entry: ts.CompletionEntry,
): string | undefined {
  const details = service.language.getCompletionEntryDetails(
    cell.file,
    offset,
    entry.name,
    undefined,
    entry.source,
    PREFERENCES,
    entry.data,
  );
  if (!details) return undefined;
  const text = withoutHeader(ts.displayPartsToString(details.displayParts)).replace(/\s+/g, ' ');
  return text.replace(/^\(\w+(?: \w+)?\) /, '').slice(0, 200) || undefined;
}

/** Names of earlier cells the code has not mentioned yet: its file does not declare those. */
function cellNames(service: Service, known: ReadonlySet<string>, prefix: string): Completion[] {
  return [...service.slots.live]
    .filter(([name]) => !known.has(name) && rankOf(name, prefix) >= 0)
    .map(([name, { declared }]) => ({ text: name, kind: declared.sort }))
    .sort((a, b) => rankOf(a.text, prefix) - rankOf(b.text, prefix) || compare(a.text, b.text));
}

interface Span {
  readonly start: number;
  readonly end: number;
}

/**
 * What the entries replace: the word, a string's text, or, where every member needs `?.`, the dot as well. An
 * entry that alone replaces something else (a name that needs brackets) is left out.
 */
function spanOf(info: ts.CompletionInfo, cell: Cell, word: Span): Span {
  const [first] = info.entries;
  const same = info.entries.every((one) => one.replacementSpan?.start === first.replacementSpan?.start);
  const span = (same ? first?.replacementSpan : undefined) ?? info.optionalReplacementSpan;
  if (!span || span.start < cell.header) return word;
  const start = span.start - cell.header;
  return { start, end: Math.max(start + span.length, word.end) };
}

/** Completions at `cursor` (UTF-16 units) of the code, and the span they replace. */
export function complete(service: Service, code: string, cursor: number): TypesAnswers['complete'] {
  const word = identifierAt(code, cursor);
  const cell = service.draft(code);
  const offset = cell.header + cursor;
  const info = service.language.getCompletionsAtPosition(cell.file, offset, PREFERENCES);
  if (!info) return { ...word, end: cursor, completions: [] };
  const span = spanOf(info, cell, word);
  const dotted = /[.?]/.test(code[span.start] ?? '') && word.start > span.start;
  const prefix = code.slice(dotted ? word.start : span.start, cursor);
  const found = info.entries.flatMap((entry): Found[] => {
    const replaced = entry.replacementSpan;
    if (replaced && replaced.start - cell.header !== span.start) return [];
    const rank = rankOf(entry.name, prefix);
    return rank < 0 || HIDDEN.test(entry.name) ? [] : [{ entry, text: entry.insertText ?? entry.name, rank }];
  });
  found.sort(
    (a, b) =>
      a.rank - b.rank || compare(a.entry.sortText, b.entry.sortText) || compare(a.entry.name, b.entry.name),
  );
  const known = new Set(info.entries.map((one) => one.name));
  const free = info.isGlobalCompletion || (!info.isMemberCompletion && isFree(code, span.start));
  const earlier = free ? cellNames(service, known, prefix) : [];
  const until = performance.now() + SIGNATURES_MS;
  const rest = found
    .slice(0, MOST_COMPLETIONS - Math.min(earlier.length, MOST_COMPLETIONS))
    .map((one, at) => {
      const inTime = at < MOST_SIGNATURES && performance.now() < until;
      const signature = inTime ? signatureOf(service, cell, offset, one.entry) : undefined;
      return {
        text: one.text,
        kind: kindOf(one.entry, service),
        ...(signature ? { signature } : {}),
      };
    });
  return { ...span, completions: [...earlier.slice(0, MOST_COMPLETIONS), ...rest] };
}

/** The word for an entry's kind; an alias is called what it stands for, here or in an earlier cell. */
function kindOf(entry: ts.CompletionEntry, service: Service): string {
  const usual = KINDS[entry.kind] ?? entry.kind;
  if (entry.kind !== ts.ScriptElementKind.alias) return usual;
  return service.slots.live.get(entry.name)?.declared.sort ?? sortOf(entry.symbol, service) ?? usual;
}

const SORTS: readonly (readonly [ts.SymbolFlags, string])[] = [
  [ts.SymbolFlags.Function, 'function'],
  [ts.SymbolFlags.Class, 'class'],
  [ts.SymbolFlags.Enum, 'enum'],
  [ts.SymbolFlags.Variable, 'variable'],
  [ts.SymbolFlags.Interface, 'interface'],
  [ts.SymbolFlags.TypeAlias, 'type'],
];

/** What an alias stands for; undefined for modules and what is not known. */
function sortOf(symbol: ts.Symbol | undefined, service: Service): string | undefined {
  if (!symbol || (symbol.flags & ts.SymbolFlags.Alias) === 0) return undefined;
  const target = service.language.getProgram()?.getTypeChecker().getAliasedSymbol(symbol);
  return SORTS.find(([flag]) => target && (target.flags & flag) !== 0)?.[1];
}

/** Whether a name may stand here: not after a dot and not in a string. */
function isFree(code: string, start: number): boolean {
  return !/[.'"`/]\s*$/.test(code.slice(0, start));
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
