import { describe, expect, it } from 'vitest';
import { baselineText, figures, reportPage, verdictText } from '../../lib/report/index.js';
import { preview, type Paper } from '../../lib/papers/index.js';
import { losses, makeClaim, makeRun } from '../papers/ledger-fixtures.js';

const claim = makeClaim({ words: 'A is <b>not</b> worse.' });
const open = makeClaim({
  id: 'paper/large',
  criterion: undefined,
  notTestable: 'It needs a cluster',
  registered: [],
});
const run = makeRun(claim, losses(-0.05), {
  curves: [
    { arm: 'a', seed: 11, label: 'training, rate 0.01, validation loss', x: [10, 20], y: [3, 2.5] },
    { arm: 'a', seed: 12, label: 'training, rate 0.01, validation loss', x: [10, 20], y: [3.2, 2.7] },
    { arm: 'a', seed: 1, label: 'tuning, rate 0.01, validation loss', x: [10, 20], y: [3.1, 2.6] },
    { arm: 'a', seed: 1, label: 'tuning, rate 0.02, validation loss', x: [], y: [] },
  ],
  config: { baselines: [{ name: 'bigram', value: 3.4, unit: 'bits per byte', note: 'counts' }] },
});
const paper: Paper = {
  id: 'paper',
  title: 'A paper',
  year: 2024,
  arxiv: '2401.00001v1',
  authors: 'Somebody',
  family: 'family',
  claims: [claim, open],
  experiments: [],
};
const judged = preview(paper, [run]);

describe('figures', () => {
  it('shows the arms that the criterion compares, the curves with their mean, and the tuning', () => {
    const made = figures(paper, run);
    expect(made.map((figure) => figure.id)).toEqual(['paper-loss', 'training-curves', 'tuning']);
    expect(made[0].series.map((series) => series.name)).toEqual(['a', 'b']);
    expect(made[1].series[0].y).toEqual([3.1, 2.6]);
    expect(made[2].series[0]).toMatchObject({ x: [0.01], y: [2.6] });
  });

  it('leaves out values that are not finite', () => {
    const broken = makeRun(claim, [
      { arm: 'a', seed: 11, value: NaN },
      { arm: 'b', seed: 11, value: 2 },
    ]);
    expect(figures(paper, broken)[0].series.map((series) => series.name)).toEqual(['b']);
  });
});

describe('verdictText', () => {
  it('has a line and a reason for every claim, and the totals', () => {
    const text = verdictText(judged).join('\n');
    expect(text).toMatch(/paper\/loss \* +supports +S2 +fair|strong/);
    expect(text).toContain('It needs a cluster.');
    expect(text).toContain('headline claims: 1 reproduced in shape, 1 not attempted');
  });

  it('shows a baseline that is not known as none', () => {
    expect(baselineText([{ name: 'x', value: Infinity, unit: 'bits', note: '' }])[2]).toContain('(none)');
  });
});

describe('reportPage', () => {
  it('is one file without addresses to load from, with escaped text', () => {
    const html = reportPage([{ paper, judged, runs: [run] }], { title: 'T' });
    expect(html).toContain('A is &lt;b&gt;not&lt;/b&gt; worse.');
    expect(html).not.toMatch(/<(script|link|img)[^>]+(src|href)=/);
    expect(html).toContain('<svg');
    expect(html).not.toMatch(/NaN|undefined/);
  });

  it('embeds plotly once and cannot be broken by what it embeds', () => {
    const plotly = 'var Plotly={newPlot(){}};var s="</script><!--";';
    const html = reportPage([{ paper, judged, runs: [run] }], { title: 'T', plotly });
    expect(html.match(/var Plotly=/g)).toHaveLength(1);
    expect(html.match(/<\/script>/g)).toHaveLength(2);
  });

  it('says so when no run is recorded', () => {
    expect(reportPage([{ paper, judged: preview(paper, []), runs: [] }], { title: 'T' })).toContain(
      'No run is recorded yet.',
    );
  });
});
