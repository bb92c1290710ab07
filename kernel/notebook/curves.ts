/** Growing curves as series of a figure: thinned so that a long training stays small, and honest about gaps. */
import type { Series } from '../../lib/report/figure.js';

export interface Curve {
  readonly name: string;
  readonly x: number[];
  readonly y: number[];
}

/** Points of a series in a picture of about 600 pixels. */
export const MOST_POINTS = 600;

/** The lowest and the highest point of every stretch, in their order: peaks survive, the ends as well. */
export function thinned(
  x: readonly number[],
  y: readonly number[],
  most = MOST_POINTS,
): [number[], number[]] {
  const count = x.length;
  if (count <= most) return [[...x], [...y]];
  const kept = new Set<number>([0, count - 1]);
  const stretches = Math.max(1, Math.floor((most - 2) / 2));
  for (let s = 0; s < stretches; s++) {
    const from = Math.floor((s * count) / stretches);
    const to = Math.floor(((s + 1) * count) / stretches);
    let [low, high] = [from, from];
    for (let i = from; i < to; i++) {
      if (y[i] < y[low]) low = i;
      if (y[i] > y[high]) high = i;
    }
    kept.add(low).add(high);
  }
  const order = [...kept].sort((a, b) => a - b);
  return [order.map((i) => x[i]), order.map((i) => y[i])];
}

/** Series of a figure, and in words what of the curves no axis can show. */
export function seriesOf(
  curves: readonly Curve[],
  { logX, logY }: { logX: boolean; logY: boolean },
): { series: Series[]; notes: string[] } {
  const notes: string[] = [];
  const series = curves.map(({ name, x, y }): Series => {
    const fits = (value: number, log: boolean): boolean => Number.isFinite(value) && (!log || value > 0);
    const places = x.map((_, i) => i).filter((i) => fits(x[i], logX) && fits(y[i], logY));
    const missing = x.length - places.length;
    if (missing > 0) {
      const first = x.findIndex((at, i) => !fits(at, logX) || !fits(y[i], logY));
      notes.push(`${name}: ${missing} not drawn, the first ${y[first]} at ${x[first]}`);
    }
    const [xs, ys] = thinned(
      places.map((i) => x[i]),
      places.map((i) => y[i]),
    );
    return { name, kind: 'line', x: xs, y: ys };
  });
  return { series: series.filter(({ y }) => y.length > 0), notes };
}
