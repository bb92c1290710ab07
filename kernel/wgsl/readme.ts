/** README.md of an export. */
import { REQUIRED_LIMITS } from '../../lib/gpu/device.js';
import { kernelSource, plainKernel } from '../../lib/gpu/source.js';
import type { OperatorRecord } from '../../lib/tensor/record.js';
import { needsOf, sizeDefines, type KernelFile } from './kernels.js';
import { inputTypes, parameterNote, readShape, typeName } from './public-part.js';
import type { DispatchInfo, PlanInfo } from './runtime/plan.js';
import type { Vector } from './vectors.js';

/** What the page is written from. */
export interface ReadmeFacts {
  op: OperatorRecord;
  form: string;
  commit: string;
  files: readonly KernelFile[];
  example: Vector;
  plan: PlanInfo;
  beyond: readonly string[];
  /** What the family says about them; empty where there is nothing to say. */
  deviations: string;
}

const cell = (text: string) => text.replaceAll('|', '\\|');

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.map(cell).join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}

/** Text of the page. */
export function readmeText(f: ReadmeFacts): string {
  const { op, form } = f;
  return [
    `# ${op.id}, form ${form}`,
    `${op.summary}: \`${op.equation}\``,
    `WGSL kernels of Assay (commit ${f.commit}, MIT licence) with the code that launches them on your own \`GPUDevice\`, forward${Object.keys(f.plan.gradients).length ? ' and backward' : ''}, for any sizes. No dependencies. Sources: ${op.sources.join('; ')}.`,
    usage(f),
    tensors(op),
    kernels(f),
    trace(f),
    needs(f),
    ...(f.deviations ? [`## Deviations\n\n${f.deviations}`] : []),
    vectors(),
  ].join('\n\n');
}

function usage({ op, example, plan }: ReadmeFacts): string {
  const create = `create${typeName(op.id)}`;
  const shapes = Object.entries(example.inputs).map(([name, t]) => `${name}: ${shapeText(t)}`);
  const required = Object.entries(op.parameters).some(([, p]) => p.required);
  const given = Object.keys(example.parameters).length > 0 || required;
  const parameters = given ? `, ${JSON.stringify(example.parameters)}` : '';
  const outputs = Object.keys(plan.outputs).join(', ');
  const names = Object.keys(example.inputs).join(', ');
  const backward = Object.keys(plan.gradients).length > 0;
  const lines = [
    `import { ${create} } from './launch'; // './launch.mjs' in a page without a build`,
    '',
    `const launcher = ${create}(device); // your GPUDevice`,
    `const plan = await launcher.plan({ ${shapes.join(', ')} }${parameters || (backward ? ', {}' : '')}${backward ? ", { gradients: 'all' }" : ''});`,
    'const encoder = device.createCommandEncoder();',
    `const { ${outputs} } = plan.forward(encoder, { ${names} }); // your GPUBuffers; or pass outputs as the third argument`,
    ...(backward
      ? [
          `const gradients = plan.backward(encoder, { ${smoothSeeds(example)} }); // one entry an output: its gradient`,
        ]
      : []),
    'device.queue.submit([encoder.finish()]);',
  ];
  return `## Use\n\n\`\`\`ts\n${lines.join('\n')}\n\`\`\`\n\nA plan belongs to one set of sizes: it compiles the kernels it needs and makes the buffers in between once; forward and backward only record, into an encoder or a compute pass. It keeps what its backward pass needs, so each layer of a model has its own plan. \`plan.destroy()\` frees its buffers. \`describe${typeName(op.id)}(...)\` gives workgroups, parameters and bytes for any sizes without a device. WGSL texts are fetched from beside the module; \`{ texts }\` as the second argument of \`${create}\` hands them over instead.`;
}

const smoothSeeds = (example: Vector) =>
  Object.keys(example.outputGradients)
    .map((name) => `${name}: d_${name}`)
    .join(', ');

function shapeText(t: { shape: readonly number[]; dtype: string }): string {
  const shape = `[${t.shape.join(', ')}]`;
  return t.dtype === 'f32' || t.dtype === 'f16' ? shape : `{ shape: ${shape}, dtype: '${t.dtype}' }`;
}

function tensors(op: OperatorRecord): string {
  const inputs = op.inputs.map((i) => [
    i.name,
    readShape(i.shape),
    inputTypes(i).join(', '),
    `${i.doc}${i.optional ? ' (optional)' : ''}`,
  ]);
  const outputs = op.outputs.map((o) => [o.name, readShape(o.shape), '', o.doc]);
  const parameters = Object.entries(op.parameters).map(([name, p]) => [name, p.type, parameterNote(p)]);
  return [
    "## Tensors\n\nRow-major, contiguous. Inputs that may be f16 share one type (`{ dtype: 'f16' }` when planning); the others stay f32, as do sums and states.",
    table(['input', 'shape', 'types', 'meaning'], inputs),
    table(['output', 'shape', '', 'meaning'], outputs),
    parameters.length ? table(['parameter', 'type', 'meaning'], parameters) : 'No parameters.',
    ...(op.state ? [`State carried from call to call: ${op.state}.`] : []),
  ].join('\n\n');
}

/** One section a kernel: its files, bindings, override constants and the layout of its uniform. */
function kernels({ files }: ReadmeFacts): string {
  const names = [...new Set(files.map((f) => plainKernel(f.kernel)))];
  const sections = names.map((kernel) => {
    const own = files.filter((f) => plainKernel(f.kernel) === kernel);
    const { text } = own[0];
    const { bindings, fields, uniformBytes } = kernelSource(kernel);
    const about = [...(/^(?:\/\/ .*\n)+/m.exec(text)?.[0] ?? '').matchAll(/^\/\/ (.*)$/gm)]
      .map((m) => m[1])
      .join(' ');
    const { workgroup, workgroupBytes } = needsOf(own[0]);
    const overrides = [...text.matchAll(/^override (\w+): (\w+) = ([^;]+);/gm)].map(
      (m) => `${m[1]}: ${m[2]} = ${m[3]}`,
    );
    const sizes = Object.keys(sizeDefines(kernel)).join(', ');
    const rows = bindings.map((b) => {
      const line = new RegExp(`@binding\\(${b.binding}\\) var<[^>]*> \\w+: ([^;]+);(?: *// (.*))?`).exec(
        text,
      );
      return [String(b.binding), b.name, b.kind, line?.[1] ?? '', line?.[2] ?? ''];
    });
    const layout = fields.map(
      (x) => `${x.name}: ${x.type}${x.length > 1 ? `[${x.length}]` : ''} at ${x.offset}`,
    );
    return [
      `### ${kernel}`,
      about,
      `Workgroup ${workgroup.join(' x ')}, ${workgroupBytes} bytes of workgroup memory. Override constants: ${overrides.join(', ') || 'none'}.${sizes ? ` Constants that launch.ts writes into the text, because arrays need them: ${sizes}.` : ''} Uniform of ${uniformBytes} bytes: ${layout.join(', ')}.`,
      table(['binding', 'name', 'kind', 'type', 'meaning'], rows),
      table(
        ['file', 'features'],
        own.map((f) => [`\`${f.file}\``, f.features.join(', ') || 'none']),
      ),
    ].join('\n\n');
  });
  return [
    `## Kernels\n\nOne file a kernel and variant, entry point \`main\`, each valid alone.${files.some((f) => f.features.includes('subgroups')) ? ' Files with subgroup operations (`*.subgroups.wgsl`) have the bindings, constants, uniform and dispatches of the plain ones, assume no subgroup size, and are taken where your device has the feature `subgroups`; `{ subgroups: false }` as the second argument of the create function refuses them. Results may differ in the last bits.' : ''}`,
    ...sections,
  ].join('\n\n');
}

function trace({ example, plan }: ReadmeFacts): string {
  const shapes = Object.entries(example.inputs).map(([name, t]) => `${name} [${t.shape.join(', ')}]`);
  const rows = (steps: readonly DispatchInfo[], pass: string) =>
    steps.map((s) => [
      pass,
      `\`${s.file}\``,
      s.workgroups.join(' x '),
      words(s.params),
      words({ ...s.constants, ...s.sizes }),
      Object.entries(s.bindings)
        .map(([k, v]) => `${k} = ${v}`)
        .join(', '),
    ]);
  return [
    `## Dispatches at one size\n\n${shapes.join(', ') || 'no inputs'}${Object.keys(example.parameters).length ? `, parameters ${JSON.stringify(example.parameters)}` : ''}:`,
    table(
      ['pass', 'file', 'workgroups', 'uniform', 'constants', 'bindings'],
      [...rows(plan.forward, 'forward'), ...rows(plan.backward, 'backward')],
    ),
    `Buffers in between: ${plan.scratch.map((bytes, i) => `scratch ${i} of ${bytes} bytes`).join(', ') || 'none'}.`,
  ].join('\n\n');
}

const words = (values: Readonly<Record<string, string | number | readonly number[]>>) =>
  Object.entries(values)
    .map(([k, v]) => `${k} = ${Array.isArray(v) ? `[${v.join(', ')}]` : String(v)}`)
    .join(', ');

function needs({ files, beyond }: ReadmeFacts): string {
  const features = [...new Set(files.flatMap((f) => f.features))];
  const limits = Object.entries(REQUIRED_LIMITS).map(([name, least]) => `${name} >= ${least}`);
  return `## Device\n\n${beyond.length ? beyond.join('. ') + '.' : "Every kernel keeps to WebGPU's default limits"}: ${limits.join(', ')}. Optional features: ${features.join(', ') || 'none'}. A tensor must fit into one storage binding. \`exp\` and \`log\` of WGSL are accurate to a few units in the last place only; NaN and infinity are not promised to survive on a GPU.`;
}

function vectors(): string {
  return `## Vectors

\`vectors.json\` holds inputs, results of the f64 reference and, where there are gradients, the gradients sent into the outputs and those expected of the inputs. \`data\` is base64 of little-endian numbers: f32, i32, u32, or f16 bit patterns; expected values are always f32, i32 or u32. \`allowed\` is the largest root mean square of the difference. \`check.html\`, opened from a web server, runs them; \`check.mjs\` exports the function it calls.`;
}
