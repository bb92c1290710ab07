/** Memory of the types thread: every program leaves megabytes of garbage, which V8 would let pile up. */
import { getHeapStatistics, setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/** Garbage tolerated before a collection is asked for, and how long the thread must have been idle before. */
const MOST_GARBAGE = 16 * 1024 * 1024;
const IDLE_MS = 150;
/** So much garbage is collected even between two cells of a notebook that runs on and on. */
const TOO_MUCH = 24 * 1024 * 1024;

/**
 * V8 optimises no function above this size (bytes of its bytecode; 60 KiB otherwise). Optimising the largest ones of
 * the compiler takes 130 MB for a second, of which a third is never given back, and makes cells no faster. The setting
 * holds for the whole process; functions of that size are hundreds of lines long.
 */
const MOST_OPTIMISED = 12_000;

/** To be called once, before the compiler's functions are hot. */
export function limitOptimiser(): void {
  setFlagsFromString(`--max-optimized-bytecode-size=${MOST_OPTIMISED}`);
}

let collector: (() => void) | undefined;

/** A full collection, now: some tens of milliseconds. */
export function collectGarbage(): void {
  if (!collector) {
    // The flag matters to contexts made after it, of which there is this one.
    setFlagsFromString('--expose-gc');
    collector = runInNewContext('gc') as () => void;
  }
  collector();
}

/** Collects garbage when the thread has nothing else to do, long before V8 would. */
export class Heap {
  private live = 0;
  private timer: NodeJS.Timeout | undefined;

  /** To be called after every answer. */
  answered(): void {
    const garbage = getHeapStatistics().used_heap_size - this.live;
    if (garbage < MOST_GARBAGE) return;
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.run(), garbage > TOO_MUCH ? 0 : IDLE_MS);
    this.timer.unref();
  }

  private run(): void {
    collectGarbage();
    this.live = getHeapStatistics().used_heap_size;
  }
}
