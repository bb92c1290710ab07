/** What the types thread answers. */
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import type { TypesThreadData } from '../threads/messages.js';
import type { PreparedCell, RefusedCell, TypesAnswers, TypesRequest } from '../threads/types-messages.js';
import { readMagics } from '../user/magics.js';
import { complete } from './complete.js';
import { inspect } from './inspect.js';
import { isComplete } from './is-complete.js';
import { Modules } from './modules.js';
import { Preparer } from './prepare.js';
import { Service } from './service.js';
import { forwardPlace } from './places.js';

type Answer<T extends TypesRequest['type']> = TypesAnswers[T];

/** Cells whose places are remembered for breakpoints. */
const MOST_PLACES = 1000;

export class TypesThread {
  private readonly modules: Modules;
  private readonly preparer: Preparer;
  private readonly service: Service;
  private readonly ran = new Map<number, Pick<PreparedCell, 'js' | 'map'>>();

  constructor(data: Pick<TypesThreadData, 'root' | 'folder' | 'globals'>) {
    // This very file lies in <compiled>/kernel/types: notebooks may import the compiled library by its path.
    const compiled = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..', '..');
    const own = ['lib', 'kernel', 'datasets'].map((folder) => path.join(compiled, folder));
    this.modules = new Modules([path.join(data.root, 'dist'), ...own], data.folder);
    this.service = new Service(data.root, data.folder);
    this.preparer = new Preparer(this.service, this.modules, new Set(data.globals), data.folder);
  }

  /** Makes the first program ahead of the first question that needs it. */
  warm(): Promise<void> {
    return this.service.warm();
  }

  handle(question: TypesRequest): TypesAnswers[TypesRequest['type']] {
    switch (question.type) {
      case 'prepare':
        return this.prepare(question.code, question.count, question.check);
      case 'locate':
        return this.modules.locate(question.specifier, question.from);
      case 'module':
        return this.modules.prepare(question.file);
      case 'is-complete':
        return isComplete(readMagics(question.code).code);
      case 'declare':
        return this.preparer.declare(question.code);
      case 'forward':
        return this.forward(question.count, question.place);
      case 'complete':
        return this.complete(question.code, question.cursor);
      case 'inspect':
        return this.inspect(question.code, question.cursor);
    }
  }

  private complete(code: string, cursor: number): Answer<'complete'> {
    const magics = readMagics(code);
    if (magics.shell) return { start: cursor, end: cursor, completions: [] };
    return complete(this.service, magics.code, cursor);
  }

  private inspect(code: string, cursor: number): Answer<'inspect'> {
    const magics = readMagics(code);
    return magics.shell ? { found: false, data: {} } : inspect(this.service, magics.code, cursor);
  }

  private prepare(code: string, count: number, check: boolean): PreparedCell | RefusedCell {
    const made = this.preparer.prepare(code, count, check);
    if (made.ok) this.remember(count, made);
    return made;
  }

  /** Breakpoints are asked for cells of the last while only. */
  private remember(count: number, { js, map }: PreparedCell): void {
    this.ran.delete(count);
    this.ran.set(count, { js, map });
    if (this.ran.size > MOST_PLACES) this.ran.delete(this.ran.keys().next().value!);
  }

  private forward(count: number, place: { line: number; column: number }): Answer<'forward'> {
    const ran = this.ran.get(count);
    return ran && forwardPlace(ran.js, ran.map, place);
  }
}
