/** The debugger of the server thread. */
export { Debugger, type DebuggerOptions } from './debugger.js';
