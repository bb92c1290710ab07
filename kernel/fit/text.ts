/** A fit report for people. */
import { textTable } from '../../lib/report/index.js';
import type { FitReport } from './run.js';

const number = (value: number | null): string =>
  value === null ? 'not identified' : String(Number(value.toPrecision(5)));
const between = (interval: { low: number | null; high: number | null }): string =>
  interval.low === null || interval.high === null ? '' : `${number(interval.low)} … ${number(interval.high)}`;
const percent = (part: number): string => `${(100 * part).toFixed(1)} %`;

/** Lines of the report: convergence first, then numbers, then everything that limits them. */
export function fitText(report: FitReport): string[] {
  const { converged, stopReason, points, objective, confidence, intervalMethod } = report;
  const lines = [
    `${report.law}: ${points} runs (${Object.entries(report.columns)
      .map(([name, column]) => `${name} from "${column}"`)
      .join(', ')})`,
    converged
      ? `converged (${stopReason}); objective ${objective.toExponential(10)}, ${report.starts.count} starts`
      : `NOT CONVERGED (${stopReason}): no number below may be trusted`,
    `median residual ${percent(report.residual.medianAbsolute)} of the response`,
    '',
    ...textTable(
      ['', 'value', `${percent(confidence)} interval (${intervalMethod})`],
      [
        ...Object.entries(report.parameters).map(([name, value]) => [
          name,
          number(value),
          between(report.intervals[name]),
        ]),
        ...Object.entries(report.derived).map(([name, d]) => [name, number(d.value), between(d)]),
      ],
    ),
  ];
  for (const { c, n, d, tokensPerParameter } of report.optimum)
    lines.push(
      '',
      `best use of ${c.toExponential(3)} FLOP: N ${n.estimate.toExponential(3)} (${n.low.toExponential(2)} … ${n.high.toExponential(2)}), D ${d.estimate.toExponential(3)} (${d.low.toExponential(2)} … ${d.high.toExponential(2)}), ${number(tokensPerParameter.estimate)} tokens a parameter (${between(tokensPerParameter)})`,
    );
  if (report.optimumProblem) lines.push('', `no optimum: ${report.optimumProblem}`);
  for (const { point, value, band, run, beyond } of report.predictions)
    lines.push(
      '',
      `${Object.entries(point)
        .map(([name, v]) => `${name} = ${v.toExponential(2)}`)
        .join(
          ', ',
        )}: ${number(value)}, the law in ${between(band)}, a run in ${between(run)}${beyond > 1 ? `; ${number(beyond)} times beyond the data` : ''}`,
    );
  lines.push(...heldOutLines(report), ...profileLines(report), ...coverageLines(report));
  if (report.flags.length > 0) lines.push('', ...report.flags.map((flag) => `! ${flag.message}`));
  return lines;
}

function heldOutLines({ holdout, notFitted }: FitReport): string[] {
  if (holdout.length + notFitted.length === 0) return [];
  const [first] = holdout;
  return [
    '',
    ...(first
      ? [
          `fitted to ${first.trained} runs, predicting the ${first.heldOut} with the most compute:`,
          ...textTable(
            [
              'form',
              'parameters',
              'rms error of ln',
              'bias of ln',
              `runs inside their ${percent(first.confidence)} band`,
            ],
            holdout.map((h) => [
              h.law,
              String(h.parameters),
              h.rms.toFixed(4),
              h.bias.toFixed(4),
              h.covered === null ? '' : percent(h.covered),
            ]),
          ),
        ]
      : []),
    ...notFitted.map(({ law, error }) => `${law}: ${error}`),
  ];
}

function profileLines({ profiles }: FitReport): string[] {
  return profiles.map(
    ({ parameter, low, high, identified }) =>
      `profile of ${parameter}: ${low === null ? 'open' : number(low)} … ${high === null ? 'open' : number(high)}${identified ? '' : ' (NOT identified: the objective does not rise)'}`,
  );
}

function coverageLines({ coverage }: FitReport): string[] {
  if (!coverage) return [];
  return [
    '',
    `${coverage.trials} planted trials (noise ${coverage.noise}, ${coverage.resamples} resamples, seed ${coverage.seed}); how often ${percent(coverage.confidence)} intervals hold the truth:`,
    ...textTable(
      ['', 'truth', 'median estimate', 'covered', 'truth above', 'truth below'],
      Object.entries(coverage.quantities).map(([name, q]) => [
        name,
        number(q.truth),
        number(q.medianEstimate),
        percent(q.covered),
        percent(q.below),
        percent(q.above),
      ]),
    ),
  ];
}
