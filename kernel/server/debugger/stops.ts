/** Halts of the user thread: which of them are the user's business, their frames, and how they end. */
import type { Debugger as Engine, Runtime } from 'node:inspector';
import type { DebugProtocol } from '@vscode/debugprotocol';
import type { Breakpoints } from './breakpoints.js';
import type { Link } from './link.js';
import type { Script, Scripts } from './scripts.js';
import { thrownText } from './values.js';

export const THREAD = 1;

export interface Frame {
  readonly id: number;
  readonly engine: Engine.CallFrame;
  readonly script: Script;
  readonly line: number;
  readonly column: number;
}
export interface Stop {
  readonly reason: 'breakpoint' | 'step' | 'exception' | 'pause';
  /** The user's own, the inmost first. */
  readonly frames: readonly Frame[];
  readonly thrown?: Runtime.RemoteObject;
}
export type Step = 'stepOver' | 'stepInto' | 'stepOut';

interface Paused extends Engine.PausedEventDataType {
  data?: Runtime.RemoteObject & { scriptId?: string; uncaught?: boolean };
}
/** Halts outside the user's code in a row after which the debugger gives up on a step or pause. */
const MOST_DETOURS = 150;
/** Milliseconds a step may take before the front end is told that the cell runs on. */
const STEP_SHOWN = 150;

export class Stops {
  current: Stop | undefined;
  exceptions = new Set<string>();
  /** An interrupt or a shutdown is under way: nothing may halt the cell. */
  skipping = false;
  private step: { kind: Step; detours: number; from: string } | undefined;
  /** The halt being looked at; void as soon as the thread goes on. */
  private halt: Paused | undefined;
  private pausing: { detours: number } | undefined;
  private nextFrame = 1;
  private shown: NodeJS.Timeout | undefined;

  constructor(
    private readonly link: Link,
    private readonly scripts: Scripts,
    private readonly breakpoints: Breakpoints,
    private readonly event: (event: string, body: object) => void,
    /** Called when a stop's frames and objects become void. */
    private readonly left: () => Promise<void>,
  ) {
    link.on<Paused>('Debugger.paused', (paused) => {
      this.halt = paused;
      void this.paused(paused).catch(() => this.resumeEngine());
    });
    link.on('Debugger.resumed', () => {
      this.halt = undefined;
      void this.leave(0).catch(() => undefined);
    });
    link.on<Engine.ScriptParsedEventDataType>('Debugger.scriptParsed', ({ scriptId, url, sourceMapURL }) => {
      scripts.parsed(scriptId, url, sourceMapURL);
    });
  }

  frame(id: number | undefined): Frame | undefined {
    return id === undefined || id === 0
      ? this.current?.frames[0]
      : this.current?.frames.find((f) => f.id === id);
  }

  /** Goes on to the end, or by a step. */
  async resume(kind?: Step): Promise<void> {
    if (!this.current)
      throw new Error('the notebook must be stopped for this, and it runs or waits for a cell');
    const from = this.halt ? spot(this.halt) : '';
    await this.leave(kind === undefined ? 0 : STEP_SHOWN);
    this.step = kind && { kind, detours: 0, from };
    await this.link.post(`Debugger.${kind ?? 'resume'}`);
  }

  /** Halts at the user's next code, which in an idle notebook is the next cell. */
  async pause(): Promise<void> {
    this.pausing = { detours: 0 };
    await this.breakpoints.watchScripts(true);
    await this.link.post('Debugger.pause');
  }

  /** Ends the stop, if there is one, whatever asked for it. */
  async release(): Promise<void> {
    this.step = undefined;
    this.pausing = undefined;
    const { halt } = this;
    await this.leave(0);
    // One that is reported only now is resumed there, because of `skipping`.
    if (halt) await this.resumeEngine();
  }

  private async leave(delay: number): Promise<void> {
    if (!this.current) return;
    this.current = undefined;
    clearTimeout(this.shown);
    const tell = (): void => this.event('continued', { threadId: THREAD, allThreadsContinued: true });
    if (delay === 0) tell();
    else this.shown = setTimeout(tell, delay).unref();
    await this.left();
  }

  private async resumeEngine(): Promise<void> {
    await this.link.post('Debugger.resume').catch(() => undefined);
  }

  private async paused(paused: Paused): Promise<void> {
    if (paused.reason === ('instrumentation' as string)) {
      const script = this.scripts.get(paused.data?.scriptId ?? '');
      if (script) await this.breakpoints.plant(script);
      if (script && this.pausing) await this.breakpoints.plantAtStart(script);
      return this.resumeEngine();
    }
    if (this.skipping) return this.resumeEngine();
    const thrown =
      paused.reason === 'exception' || paused.reason === 'promiseRejection' ? paused.data : undefined;
    const hit = this.breakpoints.hit(paused.hitBreakpoints ?? []);
    const [top] = paused.callFrames;
    const inUserCode = this.scripts.get(top.location.scriptId) !== undefined;
    if (thrown ? !this.isAskedFor(paused, inUserCode) : !inUserCode) return this.detour(paused);
    if (!thrown && !hit && this.step && this.step.detours > 0 && spot(paused) === this.step.from) {
      // Back on the line the step began on, after code that is not the user's: the step goes on.
      await this.link.post(`Debugger.${this.step.kind}`);
      return;
    }
    // A breakpoint whose hit condition does not hold; not so a step or pause that happens to end there.
    if (!hit && paused.hitBreakpoints?.length && !this.step && !this.pausing) return this.resumeEngine();
    const frames = await this.frames(paused.callFrames);
    if (this.halt !== paused) return;
    if (frames.length === 0 || (!thrown && frames[0].engine !== top)) return this.finish();
    this.stop({ reason: this.reason(hit, thrown), frames, thrown }, hit);
  }

  private reason(hit: number[] | undefined, thrown: Runtime.RemoteObject | undefined): Stop['reason'] {
    if (thrown) return 'exception';
    if (hit) return 'breakpoint';
    if (this.step) return 'step';
    return this.pausing ? 'pause' : 'breakpoint';
  }

  private stop(stop: Stop, hitBreakpointIds?: number[]): void {
    clearTimeout(this.shown);
    this.step = undefined;
    this.current = stop;
    if (this.pausing) {
      this.pausing = undefined;
      void this.breakpoints.endPause().catch(() => undefined);
    }
    const text = stop.thrown && thrownText({ exception: stop.thrown, text: '' } as Runtime.ExceptionDetails);
    const body: DebugProtocol.StoppedEvent['body'] = {
      reason: stop.reason,
      threadId: THREAD,
      allThreadsStopped: true,
      ...(text === undefined ? {} : { description: text, text }),
      ...(hitBreakpointIds ? { hitBreakpointIds } : {}),
    };
    this.event('stopped', body);
  }

  /** The engine halted in code that is not the user's: back to it, or on when there is none below. */
  private async detour(paused: Paused): Promise<void> {
    const below = paused.callFrames.some((frame) => this.scripts.get(frame.location.scriptId) !== undefined);
    const thrown = paused.reason === 'exception' || paused.reason === 'promiseRejection';
    const purpose = this.step ?? this.pausing;
    if (thrown || !purpose || purpose.detours++ > MOST_DETOURS) return this.resumeEngine();
    if (below) await this.link.post('Debugger.stepOut');
    else if (this.pausing) await this.link.post('Debugger.stepInto');
    else await this.finish();
  }

  /** A step left the user's code: the cell or callback ended. */
  private async finish(): Promise<void> {
    this.step = undefined;
    await this.resumeEngine();
  }

  /**
   * `raised` is every throw in the user's code. `uncaught` is what no `catch` around it awaits, wherever it is
   * thrown; of a rejection the engine cannot tell whether a later `await` catches it, so it stops there too.
   */
  private isAskedFor({ reason, data, callFrames }: Paused, inUserCode: boolean): boolean {
    if (/^CellInterrupted\b/.test(data?.description ?? '')) return false;
    if (this.exceptions.has('raised') && inUserCode) return true;
    if (!this.exceptions.has('uncaught')) return false;
    const below = callFrames.some((frame) => this.scripts.get(frame.location.scriptId) !== undefined);
    return below && (reason === 'promiseRejection' || data?.uncaught === true);
  }

  private async frames(callFrames: readonly Engine.CallFrame[]): Promise<Frame[]> {
    const frames: Frame[] = [];
    for (const engine of callFrames) {
      const script = this.scripts.get(engine.location.scriptId);
      if (!script) continue;
      const { lineNumber, columnNumber = 0 } = engine.location;
      const place = await this.scripts.toSource(script, { lineNumber, columnNumber });
      if (place)
        frames.push({ id: this.nextFrame++, engine, script, line: place.line, column: place.column });
    }
    return frames;
  }
}

/** Line and depth of a halt, to tell whether a step has got anywhere. */
function spot({ callFrames }: Paused): string {
  const { scriptId, lineNumber } = callFrames[0].location;
  return `${scriptId}:${lineNumber}:${callFrames.length}`;
}
