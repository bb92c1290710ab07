/** Every message of every front end comes here and goes to the part that answers it. */
import { Comms } from './comms.js';
import { errorContent, textOf } from './content.js';
import type { Editor } from './editor.js';
import { Executions, type ExecutionParts } from './executions.js';
import type { KernelInfo } from './kernel-info.js';
import { replyType, type Request } from './request.js';
import { ShellQueue } from './shell-queue.js';
import type { Stdin } from './stdin.js';
import { Subshells } from './subshells.js';
import type { JsonObject, JupyterMessage, Wire } from './wire.js';

export interface DispatcherParts extends ExecutionParts {
  readonly wire: Wire;
  readonly info: KernelInfo;
  readonly editor: Editor;
  readonly stdin: Stdin;
  /** Content of connect_reply. */
  readonly ports: JsonObject;
  readonly interrupt: () => void;
  /** A DAP request of the front end; resolves with the DAP response. */
  readonly debug: (request: JsonObject) => Promise<JsonObject>;
  readonly shutdown: (restart: boolean) => void;
  /** Tells the person at the terminal; never a front end. */
  readonly warn: (text: string) => void;
}

type Answer = (content: JsonObject) => JsonObject | Promise<JsonObject>;

/** Routes decoded messages; nothing a peer sends makes it throw. */
export class Dispatcher {
  readonly comms: Comms;
  readonly executions: Executions;
  private readonly subshells: Subshells;
  private readonly main: ShellQueue;
  /** Answered at once, also while a cell runs. */
  private readonly answers: Record<string, Answer | undefined>;
  private readonly controlAnswers: Record<string, Answer | undefined>;

  constructor(private readonly parts: DispatcherParts) {
    const failed = (error: unknown) => parts.warn(`kernel: a request failed: ${String(error)}`);
    this.comms = new Comms(parts);
    this.executions = new Executions(parts);
    this.main = new ShellQueue(failed);
    this.subshells = new Subshells(failed);
    this.answers = this.answersEverywhere();
    this.controlAnswers = { ...this.answers, ...this.answersOnControl() };
  }

  /** Frames as they came from a socket. */
  receive(channel: 'shell' | 'control' | 'stdin', frames: Buffer[]): void {
    const decoded = this.parts.wire.decode(frames);
    if (!decoded.ok) return this.parts.warn(`kernel: refused a message on ${channel}: ${decoded.reason}`);
    try {
      if (channel === 'stdin') this.parts.stdin.reply(decoded.message);
      else this.route({ channel, message: decoded.message });
    } catch (error) {
      this.parts.warn(`kernel: ${decoded.message.header.msg_type} failed: ${String(error)}`);
    }
  }

  private route(request: Request): void {
    const { channel, message } = request;
    const type = message.header.msg_type;
    const answers = channel === 'control' ? this.controlAnswers : this.answers;
    const answer = Object.hasOwn(answers, type) ? answers[type] : undefined;
    if (answer) return void this.answer(request, answer);
    if (channel === 'control') return void this.answer(request, undefined);
    const queue = this.queueOf(message);
    if (!queue) return void this.answer(request, noSubshell);
    if (type === 'execute_request') queue.push(this.executions.task(request, queue));
    else if (/^comm_(open|msg|close)$/.test(type)) this.comm(message, queue);
    else void this.answer(request, undefined);
  }

  /** The queue a request names; undefined when it names none that exists. */
  private queueOf({ header }: JupyterMessage): ShellQueue | undefined {
    const { subshell_id } = header;
    return subshell_id === undefined || subshell_id === null ? this.main : this.subshells.get(subshell_id);
  }

  /**
   * Messages to an open comm reach its handlers also while a cell runs (a stop button works). Any other waits
   * its turn: the cell that makes its target may be in the queue before it.
   */
  private comm(message: JupyterMessage, queue: ShellQueue): void {
    const open = message.header.msg_type !== 'comm_open' && this.comms.isOpen(message.content.comm_id);
    if (open) this.comms.fromFrontEnd(message);
    else queue.push({ run: async () => this.comms.fromFrontEnd(message) });
  }

  /** Busy, the reply if the request is of a known kind, idle. */
  private async answer(request: Request, answer: Answer | undefined): Promise<void> {
    const { parents, outputs, reply } = this.parts;
    const { header, rawHeader, content } = request.message;
    parents.begin(header.msg_id, rawHeader);
    outputs.busy(header.msg_id, false);
    if (answer) {
      let answered: JsonObject;
      try {
        answered = await answer(content);
      } catch (error) {
        answered = errorContent(error);
      }
      reply(request, replyType(header.msg_type), answered);
    }
    outputs.idle(header.msg_id);
    parents.end(header.msg_id);
  }

  private answersEverywhere(): Record<string, Answer> {
    const { info, editor, history, ports } = this.parts;
    return {
      kernel_info_request: () => info.content(),
      connect_request: () => ({ status: 'ok', ...ports }),
      complete_request: (content) => editor.complete(content),
      inspect_request: (content) => editor.inspect(content),
      is_complete_request: (content) => editor.isComplete(content),
      history_request: (content) => history.answer(content),
      comm_info_request: (content) =>
        this.comms.info(content.target_name ? textOf(content, 'target_name') : undefined),
      shutdown_request: (content) => {
        const restart = content.restart === true;
        this.executions.close();
        this.parts.shutdown(restart);
        return { status: 'ok', restart };
      },
    };
  }

  private answersOnControl(): Record<string, Answer> {
    return {
      interrupt_request: () => {
        this.parts.interrupt();
        return { status: 'ok' };
      },
      debug_request: (content) => this.parts.debug(content),
      create_subshell_request: () => ({ status: 'ok', subshell_id: this.subshells.create() }),
      delete_subshell_request: (content) => {
        this.subshells.delete(textOf(content, 'subshell_id'));
        return { status: 'ok' };
      },
      list_subshell_request: () => ({ status: 'ok', subshell_id: this.subshells.list() }),
    };
  }
}

function noSubshell(): never {
  throw new RangeError('request: subshell_id must name a subshell that was created and not deleted');
}
