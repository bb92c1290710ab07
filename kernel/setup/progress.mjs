// What set-up tells while it works: one line a step, with time and megabytes downloaded.
import { megabytes } from './decide.mjs';

/** A failure whose message is a sentence that says what to do; it is printed without a stack. */
export class SetupError extends Error {}

/** Prints steps as they begin and end; sums the bytes downloaded. */
export class Progress {
  constructor({ write = (text) => process.stderr.write(text), terminal = process.stderr.isTTY } = {}) {
    this.write = write;
    this.terminal = terminal;
    this.downloaded = 0;
    this.notes = [];
  }

  line(text) {
    this.write(`${text}\n`);
  }

  /** Something the person should know at the end as well. */
  note(text) {
    this.line(`  ! ${text}`);
    this.notes.push(text);
  }

  /**
   * Runs one step. `work` gets `tick(text)` for signs of life and resolves to {detail?, bytes?} or to undefined.
   */
  async step(title, work) {
    const start = performance.now();
    const seconds = () => (performance.now() - start) / 1000;
    this.line(`- ${title} ...`);
    const alive = setInterval(() => this.line(`    ${title}: ${seconds().toFixed(0)} s so far`), 15000);
    try {
      const result = (await work((text) => this.line(`    ${text}`))) ?? {};
      this.downloaded += result.bytes ?? 0;
      const parts = [`${seconds().toFixed(1)} s`];
      if (result.bytes !== undefined) parts.push(`${megabytes(result.bytes)} downloaded`);
      if (result.detail) parts.unshift(result.detail);
      this.line(`  done (${parts.join(', ')})`);
    } finally {
      clearInterval(alive);
    }
  }

  upToDate(title, detail) {
    this.line(`- ${title}: up to date${detail ? ` (${detail})` : ''}`);
  }
}
