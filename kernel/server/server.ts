/** The server thread's whole: sockets on one side, the user and types threads on the other. */
import type { MessagePort } from 'node:worker_threads';
import { Asker } from '../threads/ask.js';
import { InterruptState } from '../threads/interrupt-state.js';
import type { FromUser, ServerThreadData, ToUser } from '../threads/messages.js';
import type { TypesAnswers, TypesRequest } from '../threads/types-messages.js';
import { CHANNELS, readConnectionFile } from './connection.js';
import { errorContent } from './content.js';
import { Debugging } from './debugging.js';
import { Dispatcher } from './dispatcher.js';
import { Editor } from './editor.js';
import { Ending } from './ending.js';
import { History, historyFiles } from './history.js';
import { Interrupter } from './interrupt.js';
import { KernelInfo } from './kernel-info.js';
import { Outputs } from './outputs.js';
import { Parents } from './parents.js';
import { killSelf, watchParent } from './processes.js';
import { Reports } from './reports.js';
import type { Reply, Send } from './request.js';
import { watchSigint } from './signal.js';
import { Sockets } from './sockets.js';
import { Stdin } from './stdin.js';
import { Wire, type JsonObject } from './wire.js';

/**
 * Starts serving; resolves when the kernel can be reached. `close` gives up the sockets and the watching.
 *
 * @param out - takes what the person at the kernel's terminal should know
 */
export async function serve(
  data: ServerThreadData,
  out?: (text: string) => void,
): Promise<{ close(): void }> {
  const connection = readConnectionFile(data.connectionFile);
  const ports = Object.fromEntries(CHANNELS.map((name) => [`${name}_port`, connection[`${name}_port`]]));
  const server = new Server(
    data,
    new Wire(connection.key, { scheme: connection.signature_scheme }),
    ports,
    out,
  );
  await server.sockets.bind(connection);
  return server;
}

class Server {
  readonly sockets: Sockets;
  private readonly reports: Reports;
  private readonly parents = new Parents();
  private readonly outputs: Outputs;
  private readonly info: KernelInfo;
  private readonly editor: Editor;
  private readonly stdin: Stdin;
  private readonly interrupter: Interrupter;
  private readonly debugging: Debugging;
  private readonly ending: Ending;
  private readonly dispatcher: Dispatcher;
  /** Whether a status was ever published: a front end that comes later is not told `starting` alone. */
  private spoken = false;
  private greeted = false;
  private readonly endSigint: (() => void) | undefined;
  private readonly parentTimer: NodeJS.Timeout;

  constructor(
    data: ServerThreadData,
    private readonly wire: Wire,
    ports: JsonObject,
    out?: (text: string) => void,
  ) {
    this.reports = new Reports(out);
    const user = data.user;
    const post = (message: ToUser, transfer: ArrayBuffer[] = []) => user.postMessage(message, transfer);
    const send: Send = (channel, type, content, outgoing) => this.send(channel, type, content, outgoing);
    const warn = (text: string) => this.reports.write(text);
    const types = new Asker<TypesRequest, TypesAnswers>(data.types);
    this.outputs = new Outputs({
      send: (type, content, outgoing) => void send('iopub', type, content, outgoing),
      parents: this.parents,
    });
    this.info = new KernelInfo(data.root);
    this.editor = new Editor(types, post);
    const state = new InterruptState(data.interrupt);
    this.stdin = new Stdin(data.input, send, post, () => state.stop > state.ack);
    this.interrupter = new Interrupter(state, post, (text) => this.tellRunning(text));
    this.debugging = new Debugging({
      root: data.root,
      folder: data.folder,
      types,
      event: (content) => this.outputs.publish('debug_event', content, undefined),
    });
    this.ending = new Ending({
      ask: (restart) => post({ type: 'shutdown', restart }),
      flush: () => this.flush(),
      kill: killSelf,
    });
    this.dispatcher = new Dispatcher({
      wire,
      outputs: this.outputs,
      parents: this.parents,
      history: new History(historyFiles(data.root)),
      info: this.info,
      editor: this.editor,
      stdin: this.stdin,
      ports,
      post,
      reply: (...reply) => this.reply(...reply),
      beforeExecute: (cell) => this.debugging.beforeExecute(cell),
      interrupt: () => this.interrupt(),
      debug: (request) => this.debugging.request(request),
      shutdown: (restart) => this.shutdown(restart),
      warn,
    });
    this.sockets = new Sockets({
      message: (channel, frames) => this.dispatcher.receive(channel, frames),
      subscribed: (topic) => this.welcome(topic),
      failed: (error) => warn(`kernel: ${String(error)}`),
    });
    this.hear(user);
    this.endSigint = watchSigint(() => this.interrupt());
    this.parentTimer = watchParent(() => void this.ending.begin(false));
  }

  close(): void {
    clearInterval(this.parentTimer);
    this.endSigint?.();
    this.interrupter.close();
    this.outputs.close();
    this.sockets.close();
  }

  private hear(user: MessagePort): void {
    user.on('message', (message: FromUser) => {
      try {
        this.fromUser(message);
      } catch (error) {
        // Such as a display whose data JSON cannot hold.
        const id = 'id' in message && message.id !== undefined ? message.id : '';
        this.outputs.stream(
          id,
          'stderr',
          `An output (${message.type}) could not be sent: ${String(error)}\n`,
        );
      }
    });
  }

  private fromUser(message: FromUser): void {
    const { outputs, dispatcher } = this;
    switch (message.type) {
      case 'stream':
        return outputs.stream(message.id, message.name, message.text, message.lost);
      case 'display':
        return this.display(message);
      case 'clear':
        return outputs.publish('clear_output', { wait: message.wait }, message.id);
      case 'error': {
        const { ename, evalue, traceback } = message;
        return outputs.publish('error', { ename, evalue, traceback }, message.id);
      }
      case 'done':
        this.stdin.end(message.id);
        return dispatcher.executions.done(message.id, message.reply);
      case 'comm':
        return dispatcher.comms.fromUser(message);
      case 'comm-done':
        return dispatcher.comms.done(message.id);
      case 'input':
        return this.stdin.ask(message, dispatcher.executions.asking(message.id));
      case 'members':
        return this.editor.members(message.ask, message.names);
      case 'child':
        return void this.ending.children[message.alive ? 'add' : 'delete'](message.pid);
      case 'adapter':
        this.info.adapter = message.text;
        return;
      case 'closed':
        return this.ending.userClosed();
    }
  }

  private display(message: Extract<FromUser, { type: 'display' }>): void {
    if (message.kind === 'execute_result') {
      if (this.dispatcher.executions.isSilent(message.id)) return;
      this.dispatcher.executions.result(message.id, message.data['text/plain']);
    }
    this.outputs.display(message);
  }

  private send(...[channel, type, content, outgoing]: Parameters<Send>): string {
    if (type === 'status') this.spoken = true;
    // Topics are for people who watch the wire; front ends subscribe to everything.
    const identities = channel === 'iopub' ? [Buffer.from(`kernel.${this.wire.session}.${type}`)] : undefined;
    const { id, frames } = this.wire.encode(type, content, { identities, ...outgoing });
    this.sockets.send(channel, frames);
    return id;
  }

  private reply(...[{ channel, message }, type, content, metadata]: Parameters<Reply>): void {
    const outgoing = { identities: message.identities, parent: message.rawHeader, metadata };
    const send = (body: JsonObject) =>
      this.sockets.send(channel, this.wire.encode(type, body, outgoing).frames);
    try {
      send(content);
    } catch (error) {
      // Whoever asked waits for a reply, also when the right one cannot be put in JSON.
      send(errorContent(error));
    }
  }

  /** A front end listens from now on: it gets what it subscribed to as topic and in the message. */
  private welcome(topic: Buffer): void {
    const content = { subscription: topic.toString() };
    this.sockets.send('iopub', this.wire.encode('iopub_welcome', content, { identities: [topic] }).frames);
    if (this.greeted) return;
    this.greeted = true;
    this.outputs.starting(!this.spoken);
  }

  private interrupt(): void {
    this.stdin.interrupt();
    this.debugging
      .resumeForInterrupt()
      .then(() => this.interrupter.interrupt())
      .catch((error: unknown) =>
        this.tellRunning(`interrupt: failed, restart the kernel: ${String(error)}\n`),
      );
  }

  private shutdown(restart: boolean): void {
    // The reply and its broadcast go out before anything ends: begin() only asks at first.
    this.outputs.publish('shutdown_reply', { status: 'ok', restart }, undefined);
    this.debugging
      .close()
      .catch((error: unknown) => this.reports.write(`kernel: debugger: ${String(error)}`));
    this.interrupter.close();
    void this.ending.begin(restart);
  }

  private async flush(): Promise<void> {
    this.outputs.close();
    await this.sockets.flushed();
    this.sockets.close();
  }

  private tellRunning(text: string): void {
    for (const id of this.dispatcher.executions.ids()) this.outputs.stream(id, 'stderr', text);
  }
}
