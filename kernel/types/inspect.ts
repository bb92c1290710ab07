/** What a name means and how a function is called, for the reader. */
import ts from '#typescript';
import type { TypesAnswers } from '../threads/types-messages.js';
import { childrenOf, readDocs } from './docs.js';
import { withoutHeader } from './header.js';
import type { Service } from './service.js';
import type { Cell } from './slots.js';

interface Note {
  readonly signature: string;
  readonly docs: string;
  readonly tags: readonly ts.JSDocTagInfo[];
}

function tagText(tag: ts.JSDocTagInfo): string {
  const text = ts.displayPartsToString(tag.text).trim();
  return text ? `@${tag.name} ${text}` : `@${tag.name}`;
}

function tagMarkdown(tag: ts.JSDocTagInfo): string {
  const text = ts.displayPartsToString(tag.text).trim();
  if (tag.name === 'example')
    return `*Example*\n\n${text.includes('```') ? text : `\`\`\`typescript\n${text}\n\`\`\``}`;
  if (tag.name !== 'param') return `*@${tag.name}* ${text}`.trim();
  const [, name, rest] = /^(\S+)\s*-?\s*([\s\S]*)$/.exec(text) ?? [undefined, text, ''];
  return `*@param* \`${name}\`${rest ? ` ${rest}` : ''}`;
}

function bundle(notes: readonly Note[]): TypesAnswers['inspect'] {
  const plain = notes.map(({ signature, docs, tags }) =>
    [signature, docs, tags.map(tagText).join('\n')].filter(Boolean).join('\n\n'),
  );
  const markdown = notes.map(({ signature, docs, tags }) =>
    [`\`\`\`typescript\n${signature}\n\`\`\``, docs, ...tags.map(tagMarkdown)].filter(Boolean).join('\n\n'),
  );
  return {
    found: true,
    data: { 'text/plain': plain.join('\n\n'), 'text/markdown': markdown.join('\n\n---\n\n') },
  };
}

/** The compiler says `import x` or `export x` of a name that came by way of another file; that is no news to a reader. */
function withoutAlias(signature: string): string {
  return withoutHeader(signature)
    .replace(/^\(alias\) /, '')
    .replace(/\n(?:import|export) ([\w$]+)(?: = [\w$.]+)?$/, '');
}

/** Reads the doc comments of what is used at `offset`. */
function readDocsAt(service: Service, cell: Cell, offset: number): void {
  const definitions = service.language.getDefinitionAtPosition(cell.file, offset) ?? [];
  for (const { fileName } of definitions) readDocs(service.language.getProgram()?.getSourceFile(fileName));
}

/** Where the name of the innermost call around `offset` ends. */
function calleeEnd(node: ts.Node, offset: number): number | undefined {
  for (const child of childrenOf(node))
    if (child.pos <= offset && offset <= child.end) {
      const inner = calleeEnd(child, offset);
      if (inner !== undefined) return inner;
    }
  const calls = ts.isCallExpression(node) || ts.isNewExpression(node);
  return calls && offset > node.expression.end ? node.expression.end : undefined;
}

function quickInfo(service: Service, cell: Cell, offset: number): Note | undefined {
  readDocsAt(service, cell, offset);
  const info = service.language.getQuickInfoAtPosition(cell.file, offset);
  if (!info || info.textSpan.start < cell.header) return undefined;
  return {
    signature: withoutAlias(ts.displayPartsToString(info.displayParts)),
    docs: ts.displayPartsToString(info.documentation),
    tags: info.tags ?? [],
  };
}

function signatures(service: Service, cell: Cell, offset: number): Note[] {
  const source = service.language.getProgram()?.getSourceFile(cell.file);
  const callee = source && calleeEnd(source, offset);
  if (callee !== undefined) readDocsAt(service, cell, callee - 1);
  const help = service.language.getSignatureHelpItems(cell.file, offset, undefined);
  if (!help) return [];
  const order = [...help.items];
  const [selected] = order.splice(help.selectedItemIndex, 1);
  return [selected, ...order].slice(0, 5).map((item) => {
    const list = item.parameters.map((one) => ts.displayPartsToString(one.displayParts));
    const current = item.parameters[Math.min(help.argumentIndex, item.parameters.length - 1)];
    const about = current ? ts.displayPartsToString(current.documentation) : '';
    const docs = ts.displayPartsToString(item.documentation);
    return {
      signature: withoutHeader(
        ts.displayPartsToString(item.prefixDisplayParts) +
          list.join(ts.displayPartsToString(item.separatorDisplayParts)) +
          ts.displayPartsToString(item.suffixDisplayParts),
      ),
      docs:
        about && !item.tags.some((tag) => tag.name === 'param')
          ? `${docs}\n\n${current.name}: ${about}`
          : docs,
      tags: item.tags,
    };
  });
}

/** A type's name standing alone is no expression; it is asked for as a type. */
function typeNote(service: Service, code: string, cursor: number): Note | undefined {
  const name = /[\w$]*$/.exec(code.slice(0, cursor))![0] + /^[\w$]*/.exec(code.slice(cursor))![0];
  if (code.trim() !== name || service.slots.live.get(name)?.declared.value !== false) return undefined;
  const before = 'type $ = ';
  const cell = service.draft(before + name);
  return quickInfo(service, cell, cell.header + before.length);
}

/** Documentation of the name at `cursor` (UTF-16 units), or of the call whose arguments are being written. */
export function inspect(service: Service, code: string, cursor: number): TypesAnswers['inspect'] {
  const cell = service.draft(code);
  const offset = cell.header + cursor;
  const afterOpening = /[(,]\s*$/.test(code.slice(0, cursor));
  const help = afterOpening ? signatures(service, cell, offset) : [];
  if (help.length > 0) return bundle(help);
  // At the end of a name the cursor stands after it, and at a call's opening before its name's end.
  const places = [offset, offset - 1].filter((one) => one >= cell.header);
  for (const place of places) {
    const note = quickInfo(service, cell, place);
    if (note) return bundle([typeNote(service, code, cursor) ?? note]);
  }
  const call = signatures(service, cell, offset);
  return call.length > 0 ? bundle(call) : { found: false, data: {} };
}
