/** A request on its way through the kernel, and how it is answered. */
import type { JsonObject, JupyterMessage, Outgoing } from './wire.js';

export interface Request {
  readonly channel: 'shell' | 'control';
  readonly message: JupyterMessage;
}

/** Sends the reply of a request to whoever asked, on the channel it came by. */
export type Reply = (request: Request, type: string, content: JsonObject, metadata?: JsonObject) => void;

/** Sends a message on iopub or stdin. */
export type Send = (
  channel: 'iopub' | 'stdin',
  type: string,
  content: JsonObject,
  outgoing: Outgoing,
) => string;

/** `execute_request` is answered by `execute_reply`, and so on. */
export function replyType(requestType: string): string {
  return requestType.replace(/_request$/, '_reply');
}
