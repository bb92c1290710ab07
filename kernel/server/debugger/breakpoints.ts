/** Breakpoints as the front end set them, by source, and as the engine has them, by script. */
import type { Debugger as Engine } from 'node:inspector';
import type { DebugProtocol } from '@vscode/debugprotocol';
import { nextCodeLine, type Cells } from './cells.js';
import type { Link } from './link.js';
import type { Script, Scripts } from './scripts.js';

interface Breakpoint {
  readonly id: number;
  line: number;
  readonly asked: DebugProtocol.SourceBreakpoint;
  hits: number;
}
interface Planted {
  readonly breakpoint: Breakpoint;
  readonly path: string;
}

export class Breakpoints {
  private readonly byPath = new Map<string, Breakpoint[]>();
  /** The engine's id of every breakpoint it has. */
  private readonly planted = new Map<string, Planted>();
  private instrumentation: string | undefined;
  private start: string | undefined;
  private next = 1;

  constructor(
    private readonly link: Link,
    private readonly cells: Cells,
    private readonly scripts: Scripts,
  ) {}

  /** Replaces the breakpoints of a source; answers where they are. */
  async set(
    path: string,
    asked: readonly DebugProtocol.SourceBreakpoint[],
  ): Promise<DebugProtocol.Breakpoint[]> {
    await this.uproot(path);
    const code = this.cells.at(path)?.code;
    const breakpoints = asked.map((one) => {
      const line = code === undefined ? one.line : nextCodeLine(code, one.line);
      return { id: this.next++, line, asked: one, hits: 0 };
    });
    if (breakpoints.length > 0) this.byPath.set(path, breakpoints);
    else this.byPath.delete(path);
    await this.watchScripts();
    for (const script of this.scripts.of(path)) await this.plant(script);
    return breakpoints.map(({ id, line }) => ({ id, verified: true, line, source: { path } }));
  }

  /** Puts a source's breakpoints into one of its scripts; asked for every script before its first statement. */
  async plant(script: Script): Promise<void> {
    for (const breakpoint of this.byPath.get(script.path) ?? []) {
      const place = await this.scripts.toScript(script, breakpoint.line);
      const location = { scriptId: script.id, ...place };
      const condition = conditionOf(breakpoint.asked);
      const found = await this.link
        .post<Engine.SetBreakpointReturnType>('Debugger.setBreakpoint', { location, condition })
        // Two lines may share one place (the engine refuses the second), or the script was collected.
        .catch(() => undefined);
      if (!found) continue;
      this.planted.set(found.breakpointId, { breakpoint, path: script.path });
      const { lineNumber, columnNumber = 0 } = found.actualLocation;
      const actual = await this.scripts.toSource(script, { lineNumber, columnNumber });
      if (actual) breakpoint.line = actual.line;
    }
  }

  /** For a pause that was asked for while nothing ran: halts at the script's first statement, once. */
  async plantAtStart({ id: scriptId }: Script): Promise<void> {
    const location = { scriptId, lineNumber: 0, columnNumber: 0 };
    const { breakpointId } = await this.link.post<Engine.SetBreakpointReturnType>('Debugger.setBreakpoint', {
      location,
    });
    this.start = breakpointId;
  }

  /** The pause came about. */
  async endPause(): Promise<void> {
    const breakpointId = this.start;
    this.start = undefined;
    if (breakpointId !== undefined) await this.link.post('Debugger.removeBreakpoint', { breakpointId });
    await this.watchScripts();
  }

  /** The breakpoints of a stop that count: ids for the front end; undefined when none does and it should go on. */
  hit(engineIds: readonly string[]): number[] | undefined {
    const hit = engineIds.map((id) => this.planted.get(id)).filter((one) => one !== undefined);
    const due = hit.filter(({ breakpoint }) => isDue(breakpoint.asked.hitCondition, ++breakpoint.hits));
    return due.length > 0 ? due.map(({ breakpoint }) => breakpoint.id) : undefined;
  }

  /** For debugInfo: what a front end that comes later finds set. */
  list(): { source: string; breakpoints: { line: number }[] }[] {
    return [...this.byPath].map(([source, all]) => ({
      source,
      breakpoints: all.map(({ line }) => ({ line })),
    }));
  }

  /** Forgets all; the engine forgets its own when its debugger is switched off. */
  clear(): void {
    this.byPath.clear();
    this.planted.clear();
    this.instrumentation = this.start = undefined;
  }

  private async uproot(path: string): Promise<void> {
    for (const [breakpointId, planted] of this.planted) {
      if (planted.path !== path) continue;
      this.planted.delete(breakpointId);
      await this.link.post('Debugger.removeBreakpoint', { breakpointId }).catch(() => undefined);
    }
  }

  /**
   * While there are breakpoints the engine halts before the first statement of every script, so that they are
   * in place by then: only then is it known where a cell's lines went and which version of a module runs.
   */
  async watchScripts(always = this.byPath.size > 0): Promise<void> {
    if (always && this.instrumentation === undefined) {
      const { breakpointId } = await this.link.post<Engine.SetBreakpointReturnType>(
        'Debugger.setInstrumentationBreakpoint',
        { instrumentation: 'beforeScriptExecution' },
      );
      this.instrumentation = breakpointId;
    } else if (!always && this.instrumentation !== undefined) {
      const breakpointId = this.instrumentation;
      this.instrumentation = undefined;
      await this.link.post('Debugger.removeBreakpoint', { breakpointId });
    }
  }
}

/** A log point is a condition that logs (in the cell, braces hold expressions) and never holds. */
function conditionOf({ condition, logMessage }: DebugProtocol.SourceBreakpoint): string {
  if (logMessage === undefined || logMessage === '') return condition ?? '';
  const parts = logMessage.split(/\{([^{}]*)\}/);
  const text = parts.map((part, i) => (i % 2 === 0 ? JSON.stringify(part) : `(${part})`));
  const log = `console.log([${text.join(', ')}].map(String).join('')), false`;
  return condition ? `(${condition}) && (${log})` : log;
}

/** `3` and `>= 3` stop from the third time on, `= 3` at the third only, `% 3` every third time, `> 3`, `< 3`. */
function isDue(rule: string | undefined, hits: number): boolean {
  const found = /^\s*(>=|<=|==?=?|>|<|%)?\s*(\d+)\s*$/.exec(rule ?? '');
  if (!found) return true;
  const number = Number(found[2]);
  switch (found[1]) {
    case '%':
      return number > 0 && hits % number === 0;
    case '>':
      return hits > number;
    case '<':
      return hits < number;
    case '<=':
      return hits <= number;
    case '=':
    case '==':
    case '===':
      return hits === number;
    default:
      return hits >= number;
  }
}
