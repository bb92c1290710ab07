/** WebGPU objects: buffers with their first values, devices, adapters and shader modules in a few words. */
import type { Metadata, MimeBundle } from '../threads/messages.js';
import { absentForm, factsHtml, statisticFacts, type Fact } from './array-form.js';
import { firstBytes, usageText } from './gpu-read.js';
import { alignText, card, escapeHtml, heading, note } from './html.js';
import type { DisplayLimits } from './limits.js';
import { bytesText, shortNumber } from './numbers.js';
import { sparkline } from './pictures.js';
import { className, count, peek, text } from './safe.js';
import { statisticsOf } from './statistics.js';

type Formed = { data: MimeBundle; metadata: Metadata };

const WORDS = 8;

function titleOf(value: object): string {
  const label = peek(value, 'label');
  return typeof label === 'string' && label !== '' ? `${className(value)} "${label}"` : className(value);
}

async function bufferForm(buffer: GPUBuffer, limits: DisplayLimits): Promise<Formed> {
  const facts = [bytesText(buffer.size), usageText(buffer.usage)];
  const title = titleOf(buffer);
  const read = await firstBytes(buffer, limits.buffer);
  if ('why' in read) return absentForm({ title, facts, why: read.why });
  const { bytes } = read;
  const floats = new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length >> 2);
  const words = new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length >> 2);
  const dots = words.length > WORDS ? ['…'] : [];
  const rows = [
    ['f32', ...Array.from(floats.subarray(0, WORDS), (v) => shortNumber(v)), ...dots],
    ['u32', ...Array.from(words.subarray(0, WORDS), String), ...dots],
  ];
  const stats = statisticsOf(floats);
  const named: Fact[] = statisticFacts(stats, 'f32');
  const part =
    bytes.length < buffer.size
      ? `of the first ${bytesText(bytes.length)}, read as f32`
      : 'of all bytes, read as f32';
  const table = rows.map(
    ([name, ...cells]) =>
      `<tr><th class="l p">${name}</th>${cells.map((cell) => `<td class="n">${escapeHtml(cell)}</td>`).join('')}</tr>`,
  );
  const picture = stats.finite > 0 && floats.length > 2 ? sparkline(floats, stats) : '';
  return {
    data: {
      'text/plain': [
        `${title} ${facts.join(', ')}`,
        ...alignText(rows, true).map((line) => `  ${line}`),
        `${named.map(([name, value]) => `${name} ${value}`).join('  ')} (${part})`,
      ].join('\n'),
      'text/html': card(
        heading(title, facts) +
          `<table><tbody>${table.join('')}</tbody></table>` +
          `<div class="f"><div>${factsHtml(named)}</div><div>${picture}</div></div>${note(part)}`,
      ),
    },
    metadata: {},
  };
}

function listForm(title: string, facts: readonly string[], lines: readonly string[]): Formed {
  return {
    data: {
      'text/plain': [`${title} ${facts.join(', ')}`.trimEnd(), ...lines.map((line) => `  ${line}`)].join(
        '\n',
      ),
      'text/html': card(heading(title, facts) + lines.map((line) => note(line)).join('')),
    },
    metadata: {},
  };
}

function featureNames(value: object): string[] {
  const features = peek(value, 'features') as Iterable<string> | undefined;
  try {
    return features ? [...features].map(text).sort() : [];
  } catch {
    return [];
  }
}

function infoText(info: unknown): string {
  const parts = ['description', 'vendor', 'architecture', 'device'].map((key) => peek(info, key));
  const [description, ...rest] = parts.map((part) => (typeof part === 'string' ? part : ''));
  return description || rest.filter((part) => part !== '').join(' ');
}

/** A device or an adapter: which hardware, what it can, and whether it still lives. */
async function deviceForm(value: object): Promise<Formed> {
  const info = infoText(peek(value, 'info') ?? peek(value, 'adapterInfo'));
  const features = featureNames(value);
  const limits = peek(value, 'limits');
  const buffer = Number(peek(limits, 'maxBufferSize'));
  const binding = Number(peek(limits, 'maxStorageBufferBindingSize'));
  const lines = [
    `features: ${features.join(', ') || 'none'}`,
    ...(buffer > 0 ? [`largest buffer ${bytesText(buffer)}, largest binding ${bytesText(binding)}`] : []),
  ];
  const lost = await lostNow(value);
  if (lost) lines.unshift(lost);
  return listForm(titleOf(value), [info], lines);
}

/** Why a device is lost, if it is lost by now. */
async function lostNow(value: object): Promise<string> {
  const lost = peek(value, 'lost');
  if (!(lost instanceof Promise)) return '';
  const none = Symbol('alive');
  const settled: unknown = await Promise.race([lost, new Promise((done) => setImmediate(done, none))]);
  if (settled === none) return '';
  return `lost (${text(peek(settled, 'reason'))}): ${text(peek(settled, 'message'))}`.split('\n')[0];
}

async function moduleForm(module: GPUShaderModule): Promise<Formed> {
  const { messages } = await module.getCompilationInfo();
  const lines = messages
    .slice(0, 20)
    .map(({ type, lineNum, linePos, message }) => `${type} at ${lineNum}:${linePos}: ${message}`);
  const state = messages.some(({ type }) => type === 'error') ? 'does not compile' : 'compiles';
  const facts = messages.length > 0 ? [state, count(messages.length, 'message')] : [state];
  return listForm(titleOf(module), facts, lines);
}

/** The form of a WebGPU object, or undefined where the value is none that is known here. */
export async function gpuForm(value: object, limits: DisplayLimits): Promise<Formed | undefined> {
  switch (className(value)) {
    case 'GPUBuffer':
      return bufferForm(value as GPUBuffer, limits);
    case 'GPUDevice':
    case 'GPUAdapter':
      return deviceForm(value);
    case 'GPUShaderModule':
      return moduleForm(value as GPUShaderModule);
    default:
      return undefined;
  }
}
