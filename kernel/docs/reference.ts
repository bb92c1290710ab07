/** The reference page of all operators, made from their records. */
import { operators, type OperatorRecord } from '../../lib/index.js';

const HEAD = `# Operators

Made from the operator records by \`node kernel/docs/write.mjs\`; a test fails when it is out of date. \`npx --no assay ops\`
prints the same records, \`npx --no assay eval OP --form all --backend all\` compares all forms of one with its reference.

Shapes use one alphabet: B batch, T time, H query heads, Hkv key/value heads, K key and V value size of a head, D channels,
N state size, C chunk, W window, G groups, S sequences of a packed batch; \`...\` is any number of leading axes, \`|\` stands
between alternatives, \`*\` is any shape. Time is axis 1. Without other mention inputs are f32, or f64 on the backend \`cpu\`.
`;

type Input = OperatorRecord['inputs'][number];
type Parameter = OperatorRecord['parameters'][string];

const cell = (text: string): string => text.replace(/\|/g, '\\|');

/** The whole page. */
export function operatorsPage(
  records: readonly OperatorRecord[] = operators().map((op) => op.record),
): string {
  const rows = records.map(
    (op) => `| [\`${op.id}\`](#${anchor(op.id)}) | ${cell(op.summary)} | ${forms(op)} |`,
  );
  const table = ['| operator | what | forms |', '| --- | --- | --- |', ...rows].join('\n');
  return [HEAD, table, ...records.map(section)].join('\n') + '\n';
}

/** The anchor that renderers make of a heading in backticks. */
function anchor(id: string): string {
  return id.replace(/[^a-z0-9-]/g, '');
}

function forms(op: OperatorRecord): string {
  return Object.entries(op.forms)
    .map(([form, backends]) => `${form}: ${Object.keys(backends ?? {}).join(' ')}`)
    .join('; ');
}

function section(op: OperatorRecord): string {
  const lines = [``, `## \`${op.id}\``, ``, `${sentence(op.summary)}`, ``, '```text', op.equation, '```', ``];
  lines.push(...op.inputs.map(inputLine));
  lines.push(...op.outputs.map((o) => `- gives \`${o.name}\` \`[${o.shape}]\`: ${o.doc}`));
  lines.push(...Object.entries(op.parameters).map(([name, spec]) => parameterLine(name, spec)));
  if (op.state) lines.push(`- state: ${op.state}`);
  lines.push(`- forms: ${forms(op)}`, `- cases tested: ${op.cases.map((c) => c.name).join(', ')}`);
  lines.push(`- source: ${op.sources.join('; ')}`);
  return lines.join('\n');
}

function sentence(text: string): string {
  const whole = text[0].toUpperCase() + text.slice(1);
  return /[.!?]$/.test(whole) ? whole : `${whole}.`;
}

function inputLine(input: Input): string {
  const notes = [
    input.dtypes?.join(' or '),
    input.optional ? 'optional' : undefined,
    input.differentiable === false ? 'no gradient' : undefined,
  ].filter((note) => note !== undefined);
  return `- \`${input.name}\` \`[${input.shape}]\`${notes.length > 0 ? ` (${notes.join(', ')})` : ''}: ${input.doc}`;
}

function parameterLine(name: string, spec: Parameter): string {
  const value = spec.default === undefined ? 'no default' : `default ${JSON.stringify(spec.default)}`;
  const least = spec.minimum === undefined ? '' : `, at least ${spec.minimum}`;
  const most = spec.maximum === undefined ? '' : `, at most ${spec.maximum}`;
  const choices = spec.oneOf ? `, one of ${spec.oneOf.join(', ')}` : '';
  return `- parameter \`${name}\` (${spec.type}, ${value}${least}${most}${choices}): ${spec.doc}`;
}
