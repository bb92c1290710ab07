/** Completion, inspection and completeness, asked of the compiler's thread and of the live session. */
import type { Asker } from '../threads/ask.js';
import type { ToUser } from '../threads/messages.js';
import type { Completion, TypesAnswers, TypesRequest } from '../threads/types-messages.js';
import { toPoints, toUnits } from './code-points.js';
import { integerOf, textOf } from './content.js';
import type { JsonObject } from './wire.js';

/** How long a front end may be kept waiting; the compiler loads in about a second. */
const TYPES_MS = 10_000;
/** The user thread answers in a millisecond or is in the middle of a loop. */
const MEMBERS_MS = 150;
/** A name or a path of members, then a dot and perhaps the start of a member. */
const MEMBER = /(?:^|[^\w$.])([A-Za-z_$][\w$]*(?:\.[A-Za-z_$][\w$]*|\[\d+\])*)\.([A-Za-z_$][\w$]*)?$/;

/** Answers the editor's questions. */
export class Editor {
  private readonly waiting = new Map<number, (names: string[]) => void>();
  private asked = 0;

  constructor(
    private readonly types: Asker<TypesRequest, TypesAnswers>,
    private readonly post: (message: ToUser) => void,
  ) {}

  async complete(content: JsonObject): Promise<JsonObject> {
    const code = textOf(content, 'code');
    const cursor = toUnits(code, integerOf(content, 'cursor_pos', code.length));
    const [typed, live] = await Promise.all([
      this.ask({ type: 'complete', code, cursor }),
      this.liveMembers(code.slice(0, cursor)),
    ]);
    const typedNames = typed?.completions ?? [];
    const prefixStart = cursor - (live?.prefix.length ?? 0);
    const start = typedNames.length > 0 ? typed!.start : prefixStart;
    const end = typedNames.length > 0 ? typed!.end : cursor;
    // Names complete the same span or they do not go into the same list.
    const completions = merge(typedNames, start === prefixStart ? (live?.names ?? []) : []);
    const [from, to] = [toPoints(code, start), toPoints(code, end)];
    return {
      status: 'ok',
      matches: completions.map(({ text }) => text),
      cursor_start: from,
      cursor_end: to,
      metadata: {
        _jupyter_types_experimental: completions.map(({ text, kind, signature }) => ({
          start: from,
          end: to,
          text,
          type: kind,
          ...(signature === undefined ? {} : { signature }),
        })),
      },
    };
  }

  async inspect(content: JsonObject): Promise<JsonObject> {
    const code = textOf(content, 'code');
    const cursor = toUnits(code, integerOf(content, 'cursor_pos', code.length));
    const detail = integerOf(content, 'detail_level', 0);
    const answer = await this.ask({ type: 'inspect', code, cursor, detail });
    return { status: 'ok', found: answer?.found ?? false, data: answer?.data ?? {}, metadata: {} };
  }

  async isComplete(content: JsonObject): Promise<JsonObject> {
    const answer = await this.ask({ type: 'is-complete', code: textOf(content, 'code') });
    const status = answer?.status ?? 'unknown';
    return status === 'incomplete' ? { status, indent: answer?.indent ?? '' } : { status };
  }

  /** The user thread's answer about live members. */
  members(ask: number, names: string[]): void {
    this.waiting.get(ask)?.(names);
  }

  private async ask<R extends TypesRequest>(question: R): Promise<TypesAnswers[R['type']] | undefined> {
    return within(TYPES_MS, this.types.ask(question));
  }

  /** Members of the object before the cursor as it is now: values of type any have no others. */
  private async liveMembers(before: string): Promise<{ prefix: string; names: string[] } | undefined> {
    const found = MEMBER.exec(before.slice(-1000));
    if (!found) return undefined;
    const [, expression, prefix = ''] = found;
    const ask = ++this.asked;
    const answer = new Promise<string[]>((resolve) => this.waiting.set(ask, resolve));
    this.post({ type: 'members', ask, expression });
    const names = (await within(MEMBERS_MS, answer)) ?? [];
    this.waiting.delete(ask);
    return { prefix, names: names.filter((name) => name.startsWith(prefix)) };
  }
}

/** Typed completions first; live names the compiler does not know after them. */
function merge(typed: readonly Completion[], live: readonly string[]): Completion[] {
  const known = new Set(typed.map(({ text }) => text));
  const fresh = live.filter((name) => !known.has(name) && /^[A-Za-z_$][\w$]*$/.test(name));
  return [...typed, ...fresh.map((text) => ({ text, kind: 'property' }))];
}

/** The value, or undefined when it takes too long. */
async function within<T>(ms: number, value: Promise<T>): Promise<T | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<undefined>((resolve) => (timer = setTimeout(() => resolve(undefined), ms)));
  try {
    return await Promise.race([value, late]);
  } finally {
    clearTimeout(timer);
  }
}
