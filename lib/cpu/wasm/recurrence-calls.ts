/** Typed calls of the element-wise linear recurrence: whole sequences, or parts of time with a carry over them. */
import { hostMemory } from '../../tensor/host-memory.js';
import { withTemporary } from './temporary.js';
import { parallelFor } from './threads.js';
import { timeParts, type Parts, type TimeDims } from './time-parts.js';

type Optional = number | undefined;

/** What is given: decays, their logarithms, or logarithms of gates f with inputs that enter as (1 - f) b. */
export type RecurrenceMode = 'decay' | 'log' | 'gated';

/** Sizes of a call; `split`: time goes in parts. */
export interface RecurrenceDims extends TimeDims {
  D: number;
  mode: RecurrenceMode;
  split: boolean;
}

/** Rows of a part: a constant, so that bits do not depend on the number of threads. */
export const RECURRENCE_PART = 256;

const BLOCK = 16;
/** As in assembly/recurrence.ts. */
const MODES: Readonly<Record<RecurrenceMode, number>> = { decay: 0, log: 1, gated: 2 };
const REVERSE = 16;
/** Below this many elements a call stays on its own thread. */
const SMALL = 1 << 15;

const grainOf = ({ B, T, D }: RecurrenceDims, units: number) => (B * T * D < SMALL ? units : 1);

/** Runs `use` with the table of parts and what enters each, or with neither where every sequence is one part. */
function withEntering(
  dims: RecurrenceDims,
  at: { a: number; x: Optional; edge: Optional },
  reverse: boolean,
  use: (parts: number, table: number, entering: number) => void,
): void {
  const { B, T, D, cu = 0, S = B } = dims;
  const parts: Parts | undefined = dims.split ? timeParts(dims, RECURRENCE_PART) : undefined;
  if (!parts) return use(S, 0, at.edge ?? 0);
  const { count, words } = parts;
  const bytes = 4 * count * D;
  withTemporary([4 * words.length, bytes, bytes], (table, made, factors) => {
    hostMemory.i32(table, words.length).set(words);
    const flags = MODES[dims.mode] | (reverse ? REVERSE : 0);
    const units = count * Math.ceil(D / BLOCK);
    const reduced = [at.a, at.x ?? 0, made, factors, T, D, cu, flags, table];
    parallelFor('linearRecurrenceReduce', units, grainOf(dims, units), ...reduced);
    const carried = [at.edge ?? 0, made, factors, D, table + 12 * count, flags];
    parallelFor('linearRecurrenceCarry', S * Math.ceil(D / 4), 4096, ...carried);
    use(count, table, made);
  });
}

/** h [rows, D] and final [S, D] of h_t = f_t h_{t-1} + x_t from h0 [S, D]; addresses, absent ones 0 or left out. */
export function linearRecurrence(
  dims: RecurrenceDims,
  at: { a: number; b: number; h0?: Optional; h: number; final?: Optional },
): void {
  const { T, D, cu = 0 } = dims;
  withEntering(dims, { a: at.a, x: at.b, edge: at.h0 }, false, (parts, table, entering) => {
    const units = parts * Math.ceil(D / BLOCK);
    const rest = [at.a, at.b, entering, at.h, at.final ?? 0, T, D, cu, MODES[dims.mode], table];
    parallelFor('linearRecurrence', units, grainOf(dims, units), ...rest);
  });
}

/** Gradients da, db [rows, D] and dh0 [S, D] from dh [rows, D] and dfinal [S, D]; b is needed in mode gated only. */
export function linearRecurrenceBackward(
  dims: RecurrenceDims,
  at: {
    a: number;
    b?: Optional;
    h: number;
    h0?: Optional;
    dh?: Optional;
    dfinal?: Optional;
    da: number;
    db: number;
    dh0?: Optional;
  },
): void {
  const { T, D, cu = 0 } = dims;
  withEntering(dims, { a: at.a, x: at.dh, edge: at.dfinal }, true, (parts, table, entering) => {
    const units = parts * Math.ceil(D / BLOCK);
    const inputs = [at.a, at.b ?? 0, at.h, at.h0 ?? 0, at.dh ?? 0, entering, at.da, at.db, at.dh0 ?? 0];
    const rest = [T, D, cu, MODES[dims.mode], table];
    parallelFor('linearRecurrenceBackward', units, grainOf(dims, units), ...inputs, ...rest);
  });
}
