/** A running kernel for tests of interrupts. */
import { join } from 'node:path';
import { KernelClient, type Exchange } from '../../../kernel/run/kernel-client.js';
import { root } from '../../structure/support.js';
import { kernelDist } from '../../support/kernel-dist.js';

export type How = 'message' | 'signal';

/** Interrupts in a row: few in everyday tests, as many as the bar says in the soak run. */
export const ROUNDS = process.env.ASSAY_SOAK ? 200 : 20;

export function launch(): Promise<KernelClient> {
  return KernelClient.launch({ entry: join(kernelDist(), 'kernel', 'user', 'main.js'), cwd: root });
}

/** Runs `code` until it has printed `running`, and some time more; then interrupts it. */
export async function interrupted(
  kernel: KernelClient,
  code: string,
  how: How,
  more = 50,
): Promise<Exchange> {
  let began!: () => void;
  const running = new Promise<void>((resolve) => (began = resolve));
  const ended = kernel.execute(`console.log('running');\n${code}`, {
    onMessage: (message) => {
      if (message.type === 'stream') began();
    },
  });
  await Promise.race([running, ended]);
  await new Promise((resolve) => setTimeout(resolve, more));
  await kernel.interrupt(how);
  return ended;
}

/** The text of the last expression. @throws with the error's text when there was one */
export async function value(kernel: KernelClient, code: string): Promise<string> {
  const { reply, messages } = await kernel.execute(code);
  if (reply?.content.status !== 'ok') throw new Error(JSON.stringify(reply?.content));
  const result = messages.find((message) => message.type === 'execute_result');
  const data = result?.content.data as Record<string, string> | undefined;

  return (data?.['text/plain'] ?? '').replace(/\u001b\[[\d;]*m/g, '');
}

/** Errors shown in the cell, without colours. */
export function errors(exchange: Exchange): string[] {
  return exchange.messages
    .filter((message) => message.type === 'error')
    .map((message) => (message.content.traceback as string[]).join('\n'))

    .map((text) => text.replace(/\u001b\[[\d;]*m/g, ''));
}
