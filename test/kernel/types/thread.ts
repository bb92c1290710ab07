/** The types thread's questions, asked in place. */
import { mkdtempSync, mkdirSync, realpathSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { TypesThread } from '../../../kernel/types/types-thread.js';
import type {
  PreparedCell,
  PreparedModule,
  RefusedCell,
  TypesAnswers,
} from '../../../kernel/threads/types-messages.js';
import { root } from '../../structure/support.js';

export class Notebook {
  readonly folder = realpathSync(mkdtempSync(path.join(tmpdir(), 'assay-types-')));
  readonly thread = new TypesThread({
    root,
    folder: this.folder,
    globals: Object.getOwnPropertyNames(globalThis),
  });
  private count = 0;
  private clock = 1e9;

  prepare(code: string, check = true): PreparedCell | RefusedCell {
    return this.thread.handle({ type: 'prepare', code, count: ++this.count, check }) as
      PreparedCell | RefusedCell;
  }

  /** `line:column TSnnnn` of every error; empty for a cell that may run. */
  errors(code: string): string[] {
    const made = this.prepare(code);
    return made.ok ? [] : made.diagnostics.map((one) => `${one.line}:${one.column} TS${one.code}`);
  }

  complete(code: string, cursor = code.length): TypesAnswers['complete'] {
    return this.thread.handle({ type: 'complete', code, cursor }) as TypesAnswers['complete'];
  }

  inspect(code: string, cursor = code.length): string {
    const { data } = this.thread.handle({
      type: 'inspect',
      code,
      cursor,
      detail: 0,
    }) as TypesAnswers['inspect'];
    return (data['text/plain'] as string | undefined) ?? '';
  }

  module(name: string): PreparedModule | RefusedCell {
    return this.thread.handle({ type: 'module', file: this.path(name) }) as PreparedModule | RefusedCell;
  }

  locate(specifier: string, from = this.folder): TypesAnswers['locate'] {
    return this.thread.handle({ type: 'locate', specifier, from }) as TypesAnswers['locate'];
  }

  path(name: string): string {
    return path.join(this.folder, name);
  }

  /** Writes a file, each time with another time of change. */
  write(name: string, text: string): void {
    mkdirSync(path.dirname(this.path(name)), { recursive: true });
    writeFileSync(this.path(name), text);
    this.clock += 10;
    utimesSync(this.path(name), this.clock, this.clock);
  }

  close(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}
