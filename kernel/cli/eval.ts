/** `assay eval`: one operator on tensors from files, or every form against the reference. */
import { readFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { conform, openBackend, operator } from '../../lib/index.js';
import { ArgumentError, DataError, DtypeError, ShapeError } from '../../lib/core/errors.js';
import { BACKENDS, FORMS, type Form } from '../../lib/tensor/backend.js';
import { casesOf } from '../../lib/tensor/cases.js';
import type { Params } from '../../lib/tensor/operator.js';
import { evaluate, type EvalRequest } from '../eval/run-case.js';
import { describeRecord } from './ops.js';
import { parseVerbArgs, UsageError, type Verb, type VerbContext } from './verb.js';

const WRONG_INPUT = 2;

export const verb: Verb = {
  name: 'eval',
  summary: 'run an operator on safetensors files, or compare all its forms with the reference',
  usage: `Usage: assay eval OP --inputs IN.safetensors --output OUT.safetensors [--form F] [--backend B]
                  [--params JSON] [--grad]
       assay eval --cases FILE.jsonl
       assay eval OP --form all --backend all [--json]
       assay eval OP --describe [--json]

Inputs are named as in the record (see --describe). With --grad the inputs also hold gradients of the outputs as
grad.NAME and the results gradients of the inputs as grad.NAME. A line of a cases file is
{"id", "op", "form", "backend", "inputs", "params", "grad", "output"} with paths relative to the file; every line
gives one line {"id", "ok", "error", "milliseconds"}, and a failing one does not stop the rest.
A missing, extra or mis-shaped input is exit code 2 with one JSON error on standard output.`,
  async run(args, context) {
    const { values, positionals } = parseVerbArgs({
      args,
      options: {
        inputs: { type: 'string' },
        output: { type: 'string' },
        form: { type: 'string' },
        backend: { type: 'string' },
        params: { type: 'string' },
        grad: { type: 'boolean' },
        cases: { type: 'string' },
        describe: { type: 'boolean' },
        json: { type: 'boolean' },
      },
      allowPositionals: true,
    });
    if (values.cases !== undefined) return runCases(values.cases, context);
    if (positionals.length !== 1) throw new UsageError('eval needs one operator, or --cases FILE');
    const [op] = positionals;
    try {
      return await runOne(op, values, context);
    } catch (error) {
      if (!isWrongInput(error)) throw error;
      context.json({ error: { name: error.name, message: error.message } });
      return WRONG_INPUT;
    }
  },
};

interface Options {
  inputs?: string;
  output?: string;
  form?: string;
  backend?: string;
  params?: string;
  grad?: boolean;
  describe?: boolean;
  json?: boolean;
}

async function runOne(op: string, values: Options, context: VerbContext): Promise<number> {
  if (values.describe) {
    context.json(describeRecord(operator(op).record));
    return 0;
  }
  if (values.form === 'all' || values.backend === 'all')
    return compareForms(op, values.form ?? 'all', values.backend ?? 'all', values.json === true, context);
  if (!values.inputs || !values.output) throw new UsageError('eval needs --inputs and --output');
  const { inputs, output, form, backend, grad } = values;
  const request: EvalRequest = { op, inputs, output, form, backend, grad, params: paramsOf(values.params) };
  await evaluate(request, process.cwd());
  return 0;
}

function isWrongInput(error: unknown): error is Error {
  return (
    error instanceof ArgumentError ||
    error instanceof ShapeError ||
    error instanceof DtypeError ||
    error instanceof DataError
  );
}

function paramsOf(text: string | undefined): Params | undefined {
  if (text === undefined) return undefined;
  try {
    return JSON.parse(text) as Params;
  } catch {
    throw new UsageError(`--params must be JSON, got "${text}"`);
  }
}

async function runCases(path: string, context: VerbContext): Promise<number> {
  const file = resolve(path);
  const lines = (await readCases(file)).split('\n').filter((l) => l.trim() !== '');
  let failures = 0;
  for (const [index, text] of lines.entries()) {
    context.signal.throwIfAborted();
    const started = performance.now();
    const result: { id: unknown; ok: boolean; error?: string; milliseconds: number } = {
      id: index,
      ok: true,
      milliseconds: 0,
    };
    try {
      const request = JSON.parse(text) as { id?: unknown } | null;
      result.id = request?.id ?? index;
      await evaluate(request, dirname(file));
    } catch (error) {
      failures++;
      Object.assign(result, { ok: false, error: (error as Error).message });
    }
    result.milliseconds = performance.now() - started;
    context.out(JSON.stringify(result));
  }
  return failures > 0 ? 1 : 0;
}

async function readCases(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    throw new UsageError(`--cases must be a readable file, got ${file} (${(error as Error).message})`);
  }
}

function checkChoice(option: string, value: string, allowed: readonly string[]): void {
  if (value !== 'all' && !allowed.includes(value))
    throw new UsageError(`${option} must be all or one of ${allowed.join(', ')}, got "${value}"`);
}

async function compareForms(
  id: string,
  form: string,
  backend: string,
  json: boolean,
  context: VerbContext,
): Promise<number> {
  checkChoice('--form', form, FORMS);
  checkChoice('--backend', backend, BACKENDS);
  const op = operator(id);
  const rows: {
    form: string;
    backend: string;
    case: string;
    tensor: string;
    error: number;
    tolerance: number;
    ok: boolean;
  }[] = [];
  const skipped: { backend: string; reason: string }[] = [];
  for (const b of BACKENDS.filter((name) => backend === 'all' || backend === name)) {
    try {
      await openBackend(b);
    } catch (error) {
      skipped.push({ backend: b, reason: (error as Error).message });
      continue;
    }
    for (const [f, backends] of Object.entries(op.record.forms))
      if (backends?.[b] && (form === 'all' || form === f))
        for (const c of casesOf(op.record, f as Form)) {
          context.signal.throwIfAborted();
          for (const r of await conform(op, c, f as Form, b))
            rows.push({
              form: f,
              backend: b,
              case: c.name,
              tensor: r.text.split(':')[0].split(' ').slice(3).join(' '),
              error: r.error,
              tolerance: r.tolerance,
              ok: r.ok,
            });
        }
  }
  if (json) context.json({ op: id, rows, skipped });
  else {
    for (const r of rows)
      context.out(
        `${r.ok ? 'ok ' : 'BAD'} ${`${r.form}/${r.backend}`.padEnd(20)} ${r.case.padEnd(16)} ${r.tensor.padEnd(40)} ${r.error.toExponential(2)} (allowed ${r.tolerance.toExponential(1)})`,
      );
    for (const s of skipped) context.out(`skipped ${s.backend}: ${s.reason}`);
  }
  if (rows.length === 0)
    context.progress(`eval: nothing was compared; ${id} has no such form and backend here`);
  return rows.length > 0 && rows.every((r) => r.ok) ? 0 : 1;
}
