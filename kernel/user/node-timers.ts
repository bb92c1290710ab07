/** Node's own timers, for whatever must run in interrupted cells too. Loaded before they are replaced. */
export const nodeTimers = {
  setTimeout: globalThis.setTimeout,
  setImmediate: globalThis.setImmediate,
};
