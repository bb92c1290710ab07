/** Figures that change while a cell runs: static pictures during the work, a movable figure at its end. */
import { ArgumentError, show } from '../../lib/core/errors.js';
import type { Figure } from '../../lib/report/figure.js';
import { PLOTLY, type Bundle } from './bundle.js';
import { onAbort, Paced, systemClock, type Clock } from './clock.js';
import { Entry } from './display.js';
import { kernelHost, SHOWN } from './host.js';
import { seriesOf, type Curve } from './curves.js';

type Report = typeof import('../../lib/report/index.js');

/** The library is loaded at the first figure: a kernel's start must not wait for it. */
let report: Promise<Report> | undefined;
const loadReport = (): Promise<Report> => (report ??= import('../../lib/report/index.js'));

/** In words what the picture shows, for readers without pictures. */
function figureText(figure: Figure): string {
  const ends = figure.series
    .filter((series) => series.y.length > 0)
    .map((series) => `${series.name} ${Number(series.y[series.y.length - 1].toPrecision(4))}`);
  const { title, caption, x, y } = figure;
  return `${[title, caption].filter(Boolean).join('. ')} (${y.label} over ${x.label}; last: ${ends.join(', ') || 'nothing yet'})`;
}

function stillBundle({ toSvg }: Report, figure: Figure): Bundle {
  return { data: { 'text/html': toSvg(figure), 'text/plain': figureText(figure) }, metadata: {} };
}

function movableBundle({ toSvg, toPlotly }: Report, figure: Figure): Bundle {
  const { data, layout, config } = toPlotly(figure);
  return {
    data: {
      [PLOTLY]: { data, layout: { ...layout, height: 420 }, config },
      'image/svg+xml': toSvg(figure),
      'text/plain': figureText(figure),
    },
    metadata: {},
  };
}

const drawable = (figure: Figure): boolean => figure.series.some((series) => series.y.length > 0);

/** A figure on the page that is drawn anew when its data have changed. */
export class LiveFigure {
  readonly [SHOWN] = true;
  private readonly entry: Entry;
  private readonly pace: Paced;
  private drawing: Promise<void> = Promise.resolve();
  private closed = false;
  private waiting = false;
  private readonly unlisten: () => void;

  constructor(
    private readonly figure: () => Figure,
    clock: Clock = systemClock,
  ) {
    this.entry = new Entry({ clock });
    this.pace = new Paced(() => this.draw(stillBundle), clock);
    // An interrupted cell shows how far it came.
    this.unlisten = onAbort(kernelHost()?.cell()?.signal, () => void this.close());
  }

  /** Says that the data have changed. Drawn at most ten times a second. */
  redraw(): void {
    if (this.closed)
      throw new ArgumentError('live: redraw must come before close, got a closed figure; make a new one');
    // Where nothing renders, only the last state is worth drawing.
    if (kernelHost()?.headless === false) this.pace.request();
  }

  /** Shows the last state as a movable figure. */
  close(): Promise<void> {
    if (this.closed) return this.drawing;
    this.closed = true;
    this.unlisten();
    this.pace.stop();
    this.draw(movableBundle);
    return this.drawing;
  }

  private draw(bundle: (report: Report, figure: Figure) => Bundle): void {
    const last = bundle === movableBundle;
    // Pictures that could not be drawn yet, because the library was loading, are one picture.
    if (this.waiting && !last) return;
    this.waiting = true;
    const work = this.drawing.then(async () => {
      const loaded = await loadReport();
      this.waiting = false;
      if (this.closed && !last) return;
      const figure = this.figure();
      if (drawable(figure)) this.entry.show(bundle(loaded, figure));
    });
    // close() gives its error to the caller; one of a picture on the way is shown in the cell, once.
    this.drawing = last ? work : work.catch((error: unknown) => this.fail(error));
    kernelHost()?.hold?.(this.drawing.catch(() => undefined));
  }

  private fail(error: unknown): void {
    this.closed = true;
    const host = kernelHost();
    if (host) host.output({ kind: 'error', ...host.formatError(error) });
  }
}

/** A figure drawn from `figure()` whenever `redraw()` says that its data have changed. */
export function live(figure: () => Figure, options: { clock?: Clock } = {}): LiveFigure {
  if (typeof figure !== 'function')
    throw new ArgumentError(`live: its argument must be a function that makes a figure, got ${show(figure)}`);
  const made = new LiveFigure(figure, options.clock);
  made.redraw();
  return made;
}

export interface LiveChartOptions {
  title?: string;
  /** Label of the horizontal axis. */
  x?: string;
  /** Label of the vertical axis. */
  y?: string;
  /** Logarithmic axes. */
  logX?: boolean;
  logY?: boolean;
  /** Names of the series in the legend's order; others join as they come. */
  series?: readonly string[];
  clock?: Clock;
}

/** Curves that grow while a model trains. */
export class LiveChart {
  readonly [SHOWN] = true;
  private readonly curves = new Map<string, Curve>();
  private readonly live: LiveFigure;

  constructor(private readonly options: LiveChartOptions = {}) {
    for (const name of options.series ?? []) this.curve(name);
    this.live = new LiveFigure(() => this.figure(), options.clock);
  }

  private curve(name: string): Curve {
    const curve = this.curves.get(name) ?? { name, x: [], y: [] };
    this.curves.set(name, curve);
    return curve;
  }

  /** One more point: of one series, or of several at the same place: `add(step, { train: 2.1, test: 2.3 })`. */
  add(x: number, y: number | Readonly<Record<string, number>>, series?: string): void {
    if (typeof x !== 'number') throw new ArgumentError(`liveChart.add: x must be a number, got ${show(x)}`);
    const first = series ?? this.options.series?.[0] ?? this.options.y ?? 'value';
    for (const [name, value] of Object.entries(typeof y === 'number' ? { [first]: y } : y)) {
      if (typeof value !== 'number')
        throw new ArgumentError(`liveChart.add: ${name} must be a number, got ${show(value)}`);
      const curve = this.curve(name);
      curve.x.push(x);
      curve.y.push(value);
    }
    this.live.redraw();
  }

  /** The chart as a figure of the library. */
  figure(): Figure {
    const { title = 'Progress', x = 'step', y = 'value', logX = false, logY = false } = this.options;
    const { series, notes } = seriesOf([...this.curves.values()], { logX, logY });
    return {
      id: 'live-chart',
      // What a picture leaves out must stand on it.
      title: [title, ...notes].join('; '),
      caption: '',
      x: { label: x, log: logX },
      y: { label: y, log: logY },
      series,
    };
  }

  /** Shows the last state as a movable figure. Without it the last static picture stays. */
  close(): Promise<void> {
    return this.live.close();
  }
}

/** A chart that grows: `const chart = liveChart({ y: 'loss' }); chart.add(step, loss); await chart.close()`. */
export function liveChart(options: LiveChartOptions = {}): LiveChart {
  return new LiveChart(options);
}
