/** Figures of a run: one for each claim that was measured, one for the training curves. */
import { median } from '../core/statistics.js';
import type { Baseline, Paper } from '../papers/paper.js';
import type { Claim, ClaimPicture, Curve, Measurement, Run } from '../papers/ledger/types.js';
import { baselinesOf } from '../papers/run-experiment.js';
import type { Figure, Series } from './figure.js';

/** The figures of a run, in the order of the paper's claims. */
export function figures(paper: Pick<Paper, 'claims'>, run: Run): Figure[] {
  const own = paper.claims.flatMap((claim) => claimFigures(claim, run.measurements[claim.id] ?? []));
  return [...own, ...curveFigures(run.curves, baselinesOf(run))];
}

/** Figures of several runs, best first: every claim once, from the first run that measured it. */
export function figuresOfRuns(
  paper: Pick<Paper, 'claims'>,
  runs: readonly Run[],
): { run: Run; figures: Figure[] }[] {
  const drawn = new Set<string>();
  return runs.flatMap((run) => {
    const claims = paper.claims.filter(({ id }) => run.measurements[id] !== undefined && !drawn.has(id));
    for (const { id } of claims) drawn.add(id);
    return claims.length > 0 ? [{ run, figures: figures({ claims }, run) }] : [];
  });
}

const armsOf = (measurements: readonly Measurement[]): string[] => [
  ...new Set(measurements.map((m) => m.arm)),
];
const usable = (value: number): boolean => Number.isFinite(value);

/** The pictures of a claim's measurements that hold any of their arms. */
export function claimFigures(claim: Claim, measurements: readonly Measurement[]): Figure[] {
  if (!claim.pictures) {
    const figure = claimFigure(claim, measurements);
    return figure ? [figure] : [];
  }
  return claim.pictures.flatMap((picture, i) => {
    const own = measurements
      .filter((m) => picture.arms.includes(m.arm))
      .sort((a, b) => picture.arms.indexOf(a.arm) - picture.arms.indexOf(b.arm));
    const figure = claimFigure(claim, own, picture);
    return figure ? [{ ...figure, id: i === 0 ? figure.id : `${figure.id}-${i + 1}` }] : [];
  });
}

/** Over a swept size: medians with the range of the seeds. Else: one point a seed, by arm. */
export function claimFigure(
  claim: Claim,
  measurements: readonly Measurement[],
  picture?: ClaimPicture,
): Figure | undefined {
  if (!claim.criterion || measurements.length === 0) return undefined;
  const swept = measurements.filter((m) => m.at !== undefined && usable(m.value));
  const { metric } = claim.criterion;
  const shared = {
    id: claim.id.replace(/[^a-z0-9]+/gi, '-'),
    title: `${titleOf(claim)}: ${picture?.title ?? metric.name}`,
    caption: claim.words,
  };
  const y = { label: picture?.y ?? metric.unit.split(' (')[0] };
  const levels = (picture?.levels ?? []).map(({ name, value }): Series => ({
    name,
    kind: 'level',
    x: [],
    y: [value],
  }));
  if (swept.length > 0) {
    // Shares and other numbers up to 1 are read on a plain axis.
    const log = swept.every((m) => m.value > 0) && swept.some((m) => m.value > 1);
    return {
      ...shared,
      x: { label: picture?.x ?? 'tokens T', log: swept.every((m) => (m.at as number) > 0) },
      y: { ...y, log },
      series: [...armsOf(swept).map((arm) => sweepSeries(arm, swept)), ...levels],
    };
  }
  const groups = seedGroups(measurements, picture ? undefined : claim);
  if (groups.length === 0) return undefined;
  return {
    ...shared,
    x: { label: 'arm', categories: groups.map(([arm]) => arm) },
    y,
    series: [
      ...groups.map(([arm, values], i): Series => ({
        name: arm,
        kind: 'points',
        x: values.map((_, k) => i + 0.03 * (k - (values.length - 1) / 2)),
        y: values,
      })),
      ...levels,
    ],
  };
}

function titleOf(claim: Claim): string {
  const name = claim.id.slice(claim.paper.length + 1).replace(/-/g, ' ');
  return name[0].toUpperCase() + name.slice(1);
}

function sweepSeries(arm: string, measurements: readonly Measurement[]): Series {
  const own = measurements.filter((m) => m.arm === arm);
  const x = [...new Set(own.map((m) => m.at as number))].sort((a, b) => a - b);
  const at = (place: number): number[] => own.filter((m) => m.at === place).map((m) => m.value);
  const spread = own.some((m) => m.seed !== undefined);
  return {
    name: arm,
    kind: 'line',
    x,
    y: x.map((place) => median(at(place))),
    ...(spread
      ? { low: x.map((place) => Math.min(...at(place))), high: x.map((place) => Math.max(...at(place))) }
      : {}),
  };
}

/** Values over seeds: of the arms that a claim's own analysis compares, as its controls have other scales, or of all. */
function seedGroups(measurements: readonly Measurement[], claim?: Claim): [string, number[]][] {
  const analysis = claim?.criterion?.analysis;
  const arms = analysis?.kind === 'difference' ? [analysis.arm, analysis.against] : armsOf(measurements);
  return arms.flatMap((arm): [string, number[]][] => {
    const values = measurements
      .filter((m) => m.arm === arm && m.seed !== undefined && usable(m.value))
      .map((m) => m.value);
    return values.length > 0 ? [[arm, values]] : [];
  });
}

/** Validation curves: every seed pale, their mean strong; baselines as levels. Tuning runs in a figure of their own. */
export function curveFigures(curves: readonly Curve[], baselines: readonly Baseline[]): Figure[] {
  const validation = curves.filter((curve) => curve.label.endsWith('validation loss') && curve.x.length > 0);
  const of = (prefix: string): Curve[] => validation.filter((curve) => curve.label.startsWith(prefix));
  const levels = baselines
    .filter((baseline) => baseline.unit === 'bits per byte' && usable(baseline.value))
    .map(({ name, value }): Series => ({ name, kind: 'level', x: [], y: [value] }));
  const axes = { x: { label: 'training step' }, y: { label: 'validation loss [bits per byte]' } };
  const made: Figure[] = [];
  if (of('training').length > 0)
    made.push({
      id: 'training-curves',
      title: 'Validation loss while training',
      caption: 'Every reporting seed (pale) and their mean; dashed: what simpler programs reach.',
      ...axes,
      series: [...meansFirst(of('training')), ...levels],
    });
  if (of('tuning').length > 0)
    made.push({
      id: 'tuning',
      title: 'Tuning: loss by learning rate',
      caption:
        'Last validation loss of every learning rate tried; both models get the same rates and the same seeds.',
      x: { label: 'learning rate', log: true },
      y: axes.y,
      series: tuningSeries(of('tuning')),
    });
  return made;
}

function meansFirst(curves: readonly Curve[]): Series[] {
  return [...new Set(curves.map((curve) => curve.arm))].flatMap((arm): Series[] => {
    const own = curves.filter((curve) => curve.arm === arm);
    const x = own[0].x.filter((_, i) => own.every((curve) => curve.y.length > i));
    const mean = x.map((_, i) => own.reduce((sum, curve) => sum + curve.y[i], 0) / own.length);
    return [
      { name: arm, group: arm, kind: 'line', x, y: mean },
      ...own.map((curve): Series => ({
        name: `${arm}, seed ${curve.seed}`,
        group: arm,
        kind: 'line',
        x: curve.x,
        y: curve.y,
        faint: true,
      })),
    ];
  });
}

function tuningSeries(curves: readonly Curve[]): Series[] {
  return [...new Set(curves.map((curve) => curve.arm))].map((arm): Series => {
    const points = curves
      .filter((curve) => curve.arm === arm)
      .map((curve) => ({
        rate: Number(/rate ([\d.e-]+)/.exec(curve.label)?.[1]),
        loss: curve.y[curve.y.length - 1],
      }))
      .filter((point) => point.rate > 0 && usable(point.loss))
      .sort((a, b) => a.rate - b.rate);
    return { name: arm, kind: 'line', x: points.map((p) => p.rate), y: points.map((p) => p.loss) };
  });
}
