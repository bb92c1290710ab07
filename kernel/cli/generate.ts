/** `assay generate`: bytes from a trained model file, one token at a time. */
import { readBytes } from '../../lib/tasks/files.js';
import { decodeModel } from '../../lib/nn/checkpoint.js';
import { generate } from '../../lib/nn/generate.js';
import { parseVerbArgs, positiveNumber, UsageError, type Verb } from './verb.js';

export const verb: Verb = {
  name: 'generate',
  summary: 'write text with a trained byte model',
  usage: `Usage: assay generate MODEL.safetensors [--prompt TEXT] [--count N] [--temperature X] [--top-k K] [--seed S]
                       [--mode step|recompute] [--json]

MODEL is a checkpoint of a training run (see runs/) or a saved model. Text goes to standard output as it is made;
bytes that are not UTF-8 appear as replacement characters.

  --prompt       text to continue (default: a newline)
  --count        bytes to write (default 256)
  --temperature  0 takes the likeliest byte (default 0.8)
  --top-k        choose among the K likeliest bytes (default: all)
  --seed         of the choices (default 0)
  --mode         step: constant time a byte for Mamba, cached for a transformer; recompute: from the start each time
  --json         print one JSON document with prompt, text, bytes a second`,
  async run(args, context) {
    const { values, positionals } = parseVerbArgs({
      args,
      options: {
        prompt: { type: 'string' },
        count: { type: 'string' },
        temperature: { type: 'string' },
        'top-k': { type: 'string' },
        seed: { type: 'string' },
        mode: { type: 'string' },
        json: { type: 'boolean' },
      },
      allowPositionals: true,
    });
    if (positionals.length !== 1) throw new UsageError('generate needs one model file');
    const mode = values.mode ?? 'step';
    if (mode !== 'step' && mode !== 'recompute')
      throw new UsageError(`--mode must be step or recompute, got "${mode}"`);
    const temperature = Number(values.temperature ?? 0.8);
    if (!(temperature >= 0))
      throw new UsageError(`--temperature must be 0 or more, got "${values.temperature}"`);
    const { model, params, step } = decodeModel(await readBytes(positionals[0]));
    context.progress(`${model.config.kind}, ${model.parameterCount} parameters, ${step} training steps`);
    const prompt = values.prompt ?? '\n';
    const decoder = new TextDecoder();
    const pieces: string[] = [];
    const started = performance.now();
    let count = 0;
    const tokens = generate(model, params, {
      prompt: new TextEncoder().encode(prompt),
      count: positiveNumber('--count', values.count) ?? 256,
      temperature,
      topK: positiveNumber('--top-k', values['top-k']),
      seed: values.seed ?? 0,
      mode,
      signal: context.signal,
    });
    for await (const token of tokens) {
      const text = decoder.decode(Uint8Array.of(token), { stream: true });
      count++;
      if (values.json) pieces.push(text);
      else process.stdout.write(text);
    }
    // What is left of an unfinished character.
    const rest = decoder.decode();
    if (values.json) pieces.push(rest);
    else process.stdout.write(rest);
    const bytesPerSecond = count / ((performance.now() - started) / 1000);
    if (values.json) context.json({ prompt, text: pieces.join(''), bytes: count, bytesPerSecond });
    else context.out('');
    context.progress(`${count} bytes, ${bytesPerSecond.toFixed(0)} a second`);
    return 0;
  },
};
