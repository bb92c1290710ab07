/** Code that runs later, for a slider or a timer, and still prints where it was written. */
import { AsyncResource } from 'node:async_hooks';
import { kernelHost, type Output } from './host.js';

/** A sender of outputs that belong to the cell running now, however late they come. */
export function senderOfThisCell(): (output: Output) => void {
  const host = kernelHost();
  if (!host) return () => undefined;
  const here = new AsyncResource('assay:cell');
  return (output) => here.runInAsyncScope(() => host.output(output));
}

/**
 * `body` for later calls, its outputs among those of the cell running now. Only outputs are moved: to an interrupt
 * the call stays part of the message that caused it.
 */
export function printingHere<A extends unknown[], R>(body: (...args: A) => R): (...args: A) => R {
  const host = kernelHost();
  if (!host) return body;
  const send = senderOfThisCell();
  return (...args) => host.withSink(send, () => body(...args));
}
