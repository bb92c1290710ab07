/** The line of a progress bar. */

export interface ProgressState {
  readonly label: string;
  readonly done: number;
  readonly total: number | undefined;
  /** Milliseconds since the start. */
  readonly elapsed: number;
  readonly end: 'done' | 'stopped' | 'interrupted' | undefined;
}

/** Milliseconds as 0:07, 12:34 or 1:02:03. */
export function durationText(ms: number): string {
  const seconds = Math.round(Math.max(ms, 0) / 1000);
  const two = (value: number): string => String(value).padStart(2, '0');
  const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60];
  return hours > 0 ? `${hours}:${two(minutes)}:${two(seconds % 60)}` : `${minutes}:${two(seconds % 60)}`;
}

function rateText(done: number, elapsed: number): string | undefined {
  if (done <= 0 || elapsed < 1000) return undefined;
  const perSecond = (done / elapsed) * 1000;
  const short = (value: number): string => (value >= 100 ? String(Math.round(value)) : value.toPrecision(2));
  if (perSecond >= 1) return `${short(perSecond)} a second`;
  return `${short(1 / perSecond)} s each`;
}

const number = (value: number): string => (Number.isInteger(value) ? String(value) : value.toPrecision(4));

/** Such as `training: 37 of 100 (37%), 0:12 so far, about 0:21 left, 3.1 a second`. */
export function progressLine(state: ProgressState): string {
  const { label, done, total, elapsed, end } = state;
  const share = total ? ` (${Math.floor((done / total) * 100)}%)` : '';
  const count = total === undefined ? number(done) : `${number(done)} of ${number(total)}${share}`;
  const parts = [end === 'stopped' || end === 'interrupted' ? `${end} at ${count}` : count];
  if (end) parts.push(`${durationText(elapsed)} in all`);
  else if (elapsed >= 1000) parts.push(`${durationText(elapsed)} so far`);
  // The average of all steps so far: a first guess after one step, better with every further one.
  if (!end && total !== undefined && done > 0 && done < total && elapsed >= 1000)
    parts.push(`about ${durationText((elapsed / done) * (total - done))} left`);
  const rate = rateText(done, elapsed);
  if (rate) parts.push(rate);
  return `${label ? `${label}: ` : ''}${parts.join(', ')}`;
}
