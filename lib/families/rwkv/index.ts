/** Family rwkv: the recurrences of RWKV-4 to RWKV-7 and what their blocks are made of. */
export * from './channel-mixing.js';
export * from './decay.js';
export * from './token-shift.js';
export * from './wkv4.js';
export * from './wkv56.js';
export * from './wkv7.js';
