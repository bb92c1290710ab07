/** Values that show more than text: which formatter takes them. */
import { types } from 'node:util';
import type { Judged } from '../../lib/papers/run-experiment.js';
import type { Metadata, MimeBundle } from '../threads/messages.js';
import { absentForm, arrayForm } from './array-form.js';
import { isTensorLike, tensorView, typedArrayView, type Absent, type ArrayView } from './array-view.js';
import { bytesForm } from './bytes-form.js';
import { figuresForm, isFigure, isPlotly, libraryFigureForm, plotlyForm } from './figure-form.js';
import { gpuForm } from './gpu-form.js';
import type { DisplayLimits } from './limits.js';
import { plainText } from './plain-text.js';
import { allOf, peek } from './safe.js';
import { tableForm } from './table-form.js';
import { columnsView, frameView, recordsView } from './table-view.js';

type Formed = { data: MimeBundle; metadata: Metadata };

function numbersForm(view: ArrayView | Absent): Formed {
  return 'why' in view ? absentForm(view) : arrayForm(view);
}

/** A claim with its judgement, as `judge` returns them. */
function isJudged(value: unknown): value is Judged {
  const [claim, judgement] = [peek(value, 'claim'), peek(value, 'judgement')];
  return typeof peek(claim, 'id') === 'string' && typeof peek(judgement, 'word') === 'string';
}

/** The bundle of a value with a form of its own, or undefined where text is all there is. */
export async function richForm(value: object, limits: DisplayLimits): Promise<Formed | undefined> {
  if (types.isPromise(value)) {
    const hint = '(a promise; write await before it to get its value)';
    return { data: { 'text/plain': `${plainText(value, limits)}\n${hint}` }, metadata: {} };
  }
  if (isTensorLike(value)) return numbersForm(await tensorView(value, limits));
  const array = typedArrayView(value, limits);
  if (array) return numbersForm(array);
  const raw = bytesForm(value) ?? (await gpuForm(value, limits));
  if (raw) return raw;
  if (typeof value === 'function' || types.isProxy(value)) return undefined;
  return (await figureForm(value)) ?? (await anyTable(value, limits));
}

async function figureForm(value: object): Promise<Formed | undefined> {
  if (isFigure(value)) return libraryFigureForm(value);
  if (Array.isArray(value)) return allOf(value, isFigure) ? figuresForm(value) : undefined;
  return isPlotly(value) ? plotlyForm(value) : undefined;
}

async function anyTable(value: object, limits: DisplayLimits): Promise<Formed | undefined> {
  if (allOf(value, isJudged)) {
    const { verdictRows } = await import('../../lib/report/tables.js');
    const view = recordsView(verdictRows(value), limits);
    return view && tableForm({ ...view, title: 'Verdicts' });
  }
  const view = frameView(value, limits) ?? recordsView(value, limits) ?? columnsView(value, limits);
  return view && tableForm(view);
}
