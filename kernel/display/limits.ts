/** How much of a value is shown. */
import { coloursWanted } from './ansi.js';

export interface DisplayLimits {
  /** Deepest level of nested objects in text; shallower where a level would hold too much. */
  depth: number;
  /** Elements of one array, map or set in text. */
  elements: number;
  /** Characters of one string inside an object. A string that is itself the result arrives whole. */
  string: number;
  /** Characters of the whole text of an object. */
  text: number;
  /** Rows of a table of records. */
  rows: number;
  /** Columns of a table of records. */
  columns: number;
  /** Elements of a tensor or array that statistics read; more are told by their first ones. */
  statistics: number;
  /** Bytes of a GPU buffer that are read back for its preview. */
  buffer: number;
  /** ANSI colours in the text of objects that have no richer form. */
  colour: boolean;
}

export const LIMITS: DisplayLimits = {
  depth: 5,
  elements: 100,
  string: 10_000,
  text: 60_000,
  rows: 20,
  columns: 30,
  statistics: 1 << 26,
  buffer: 1 << 16,
  colour: coloursWanted(),
};
