/** Answers that describe a stop: frames, scopes, texts of sources. */
import { existsSync, readFileSync } from 'node:fs';
import type { DebugProtocol } from '@vscode/debugprotocol';
import type { Cells } from './cells.js';
import type { Scripts } from './scripts.js';
import type { Frame, Stop } from './stops.js';
import type { Variables } from './variables.js';

/** The frames of the user's code, the inmost first; none while nothing is stopped. */
export function stackFrames(
  stop: Stop | undefined,
  scripts: Scripts,
  { startFrame = 0, levels = 0 }: Partial<DebugProtocol.StackTraceArguments>,
): DebugProtocol.StackTraceResponse['body'] {
  const all = stop?.frames ?? [];
  const asked = all.slice(startFrame, levels > 0 ? startFrame + levels : undefined);
  const frames = asked.map(({ id, engine, script, line, column }) => ({
    id,
    name: engine.functionName || (script.count === undefined ? '<module>' : '<cell>'),
    line,
    column,
    source: { name: scripts.name(script), path: script.path, sourceReference: 0 },
  }));
  return { stackFrames: frames, totalFrames: all.length };
}

/** Names as JupyterLab knows them: only `Globals` has a meaning of its own there. */
const GROUPS: readonly (readonly [name: string, types: readonly string[]])[] = [
  ['Locals', ['local', 'block', 'catch', 'with', 'eval']],
  ['Closure', ['closure']],
  ['Module', ['module']],
];

/** The scopes of a frame: its locals with their blocks, what it closes over, the session's own globals. */
export function scopesOf(frame: Frame | undefined, variables: Variables): { scopes: DebugProtocol.Scope[] } {
  if (!frame) throw new Error('scopes: frameId must be a frame of the present stop, the thread went on');
  const { scopeChain, callFrameId } = frame.engine;
  const scopes: DebugProtocol.Scope[] = [];
  for (const [name, types] of GROUPS) {
    const objects = scopeChain
      .filter((scope) => types.includes(scope.type))
      .map((scope) => scope.object.objectId)
      .filter((id) => id !== undefined);
    if (objects.length === 0) continue;
    const variablesReference = variables.hold({ kind: 'scope', objects, callFrameId, lifetime: 'stop' });
    scopes.push({ name, variablesReference, expensive: false });
  }
  const variablesReference = variables.hold({ kind: 'globals', lifetime: 'stop' });
  scopes.push({ name: 'Globals', variablesReference, expensive: false });
  return { scopes };
}

/** The text of a cell or of a file. */
export function sourceText(path: string, cells: Cells): { content: string; mimeType: string } {
  const cell = cells.at(path);
  if (!cell && !existsSync(path)) throw new Error(`source: path must be a known cell or a file, got ${path}`);
  return { content: cell?.code ?? readFileSync(path, 'utf8'), mimeType: 'text/typescript' };
}
