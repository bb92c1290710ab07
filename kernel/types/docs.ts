/**
 * Doc comments of declaration files. Parsing them takes as long as parsing what they describe, and checks need none:
 * they are read only in the files that a reader asks about.
 */
import ts from '#typescript';

type Documented = ts.Node & { jsDoc?: { parent: ts.Node }[]; symbol?: Remembering };
/** What the compiler remembers of a symbol's comments. */
interface Remembering {
  documentationComment?: unknown;
  tags?: unknown;
}

const WITH_DOCS: ts.CreateSourceFileOptions = {
  languageVersion: ts.ScriptTarget.ESNext,
  jsDocParsingMode: ts.JSDocParsingMode.ParseAll,
};

/** A node's parts, in order. */
export function childrenOf(node: ts.Node): ts.Node[] {
  const children: ts.Node[] = [];
  ts.forEachChild(node, (child) => void children.push(child));
  return children;
}

/** Both trees are of one text, so they are the same but for the comments. */
function copy(from: Documented, to: Documented): void {
  if (from.jsDoc) {
    to.jsDoc = from.jsDoc;
    for (const doc of from.jsDoc) doc.parent = to;
    if (to.symbol) to.symbol.documentationComment = to.symbol.tags = undefined;
  }
  const others = childrenOf(to);
  childrenOf(from).forEach((child, at) => copy(child, others[at]));
}

const read = new WeakSet<ts.SourceFile>();

/** Gives a declaration file's tree its doc comments. */
export function readDocs(file: ts.SourceFile | undefined): void {
  if (!file?.isDeclarationFile || read.has(file)) return;
  read.add(file);
  copy(ts.createSourceFile(file.fileName, file.text, WITH_DOCS, true), file);
}
