/**
 * Generated text of known entropy rate: the floor that no model can beat, and the ideal coder that reaches it.
 *
 * The source is a Markov chain over word classes. A step draws the next class from the current one, then a word of that
 * class (weights 1/1, 1/2, 1/3, ...). No state is hidden: every word belongs to one class, except the names, which are
 * new after an opening word of class `intro` (drawn uniformly) and repeat the last new name after a word of class
 * `speech`. So the past of the text determines the distribution of the next word, and words are separated, so the text
 * determines the words. Hence, with pi the stationary distribution of the classes,
 *
 *   H per word  = sum_c pi_c sum_d P(d | c) [ -log2 P(d | c) + H(word | d) ],   H(word | repeated name) = 0,
 *   bytes a word = sum_c pi_c E[length of a word of c],                         bits per byte = H / bytes,
 *
 * by the ergodic theorem for the chain. A repeated name has the length distribution of a new one, because the chain of
 * classes does not look at names. A model that cannot recall the name pays up to log2(64) = 6 bits for each repetition:
 * this is the part of the text that a short context cannot predict.
 */
import { ArgumentError } from '../core/errors.js';
import { log2 } from '../core/math.js';
import { Random } from '../core/random.js';

interface WordClass {
  words: readonly string[];
  weights: readonly number[];
  next: Readonly<Record<string, number>>;
}

const CONSONANTS = [
  'b',
  'd',
  'f',
  'g',
  'k',
  'l',
  'm',
  'n',
  'p',
  'r',
  's',
  't',
  'v',
  'br',
  'st',
  'tr',
  'th',
  'sh',
];
const VOWELS = ['a', 'e', 'i', 'o', 'u', 'ea', 'ou'];
const ENDINGS = ['', '', 'n', 'r', 'l', 's', 'm', 'd'];

/** Distinct pronounceable words; the same on every machine and in every version. */
function inventWords(random: Random, count: number, suffix: string, taken: Set<string>): string[] {
  const pick = (list: readonly string[]): string => list[random.int(list.length)];
  const words: string[] = [];
  while (words.length < count) {
    let word = '';
    for (let syllables = 1 + random.int(2); syllables >= 0; syllables--)
      word += pick(CONSONANTS) + pick(VOWELS);
    word += pick(ENDINGS) + suffix;
    if (taken.has(word)) continue;
    taken.add(word);
    words.push(word);
  }
  return words;
}

const harmonic = (count: number): number[] => Array.from({ length: count }, (_, i) => 1 / (i + 1));
const spaced = (words: readonly string[]): string[] => words.map((word) => ` ${word}`);
const capital = (word: string): string => word[0].toUpperCase() + word.slice(1);

function makeClasses(): Readonly<Record<string, WordClass>> {
  const random = new Random('entropy source vocabulary');
  const taken = new Set(['the', 'a', 'of', 'in', 'said']);
  const invent = (name: string, count: number, suffix = ''): string[] =>
    spaced(inventWords(random.split(name), count, suffix, taken));
  const names = spaced(inventWords(random.split('names'), 64, '', taken).map(capital));
  const make = (words: readonly string[], next: Record<string, number>): WordClass => ({
    words,
    weights: harmonic(words.length),
    next,
  });
  const even = names.map(() => 1);
  return {
    opening: make(['The', 'A', 'One', 'That', 'This', 'Every'], { noun: 0.6, adjective: 0.4 }),
    intro: make(['Enter', 'Behold', 'Meet'], { newName: 1 }),
    newName: { words: names, weights: even, next: { end: 0.5, preposition: 0.5 } },
    oldName: { words: names, weights: even, next: { end: 0.7, preposition: 0.3 } },
    adjective: make(invent('adjectives', 32, 'y'), { noun: 0.85, adjective: 0.15 }),
    noun: make(invent('nouns', 96), { verb: 0.45, preposition: 0.2, end: 0.15, speech: 0.2 }),
    verb: make(invent('verbs', 48, 'eth'), { article: 0.5, preposition: 0.2, end: 0.2, adverb: 0.1 }),
    adverb: make(invent('adverbs', 12, 'ly'), { end: 0.6, preposition: 0.4 }),
    preposition: make(spaced(['of', 'in', 'with', 'under', 'upon', 'for']), { article: 1 }),
    article: make(spaced(['the', 'a', 'my', 'thy', 'his', 'her']), { noun: 0.7, adjective: 0.3 }),
    speech: make(spaced(['said', 'cried', 'quoth', 'answered']), { oldName: 1 }),
    end: make(['.\n', '!\n', '?\n'], { opening: 0.75, intro: 0.25 }),
  };
}

const CLASSES = makeClasses();
const NAMES = Object.keys(CLASSES);

/** Probabilities of the words of each class. */
const WORD_PROBABILITIES = new Map(
  NAMES.map((name) => {
    const { words, weights } = CLASSES[name];
    const total = weights.reduce((a, b) => a + b, 0);
    return [name, new Map(words.map((word, i) => [word, weights[i] / total]))] as const;
  }),
);

/** What is known about the source. */
export interface EntropyRate {
  bitsPerByte: number;
  bitsPerWord: number;
  bytesPerWord: number;
}

/** The exact entropy rate of the source, by the formula above. */
export function entropyRate(): EntropyRate {
  const stationary = stationaryDistribution();
  let bitsPerWord = 0;
  let bytesPerWord = 0;
  NAMES.forEach((name, i) => {
    for (const [next, p] of Object.entries(CLASSES[name].next)) {
      bitsPerWord += stationary[i] * p * (wordEntropy(next) - log2(p));
    }
    for (const [word, p] of wordsOf(name)) bytesPerWord += stationary[i] * p * word.length;
  });
  return { bitsPerByte: bitsPerWord / bytesPerWord, bitsPerWord, bytesPerWord };
}

function wordsOf(name: string): Map<string, number> {
  return WORD_PROBABILITIES.get(name) as Map<string, number>;
}

function wordEntropy(name: string): number {
  if (name === 'oldName') return 0;
  let sum = 0;
  for (const p of wordsOf(name).values()) sum -= p * log2(p);
  return sum;
}

/** Fixed point of pi = pi (P + I) / 2, which has that of P and converges for every period. */
function stationaryDistribution(): number[] {
  let pi = NAMES.map(() => 1 / NAMES.length);
  for (let step = 0; step < 4000; step++) {
    const next = pi.map((p) => 0.5 * p);
    NAMES.forEach((name, i) => {
      for (const [to, p] of Object.entries(CLASSES[name].next)) next[NAMES.indexOf(to)] += 0.5 * pi[i] * p;
    });
    pi = next;
  }
  return pi;
}

/** Text of the source: `bytes` ASCII bytes (default 1,000,000) that depend on the seed only. */
export function generateText(seed: number | string, bytes = 1_000_000): Uint8Array {
  if (!Number.isInteger(bytes) || bytes < 1) {
    throw new ArgumentError(`generateText: bytes must be a positive integer, got ${bytes}`);
  }
  const random = new Random('entropy source').split(seed);
  const nexts = new Map(NAMES.map((name) => [name, Object.entries(CLASSES[name].next)]));
  const out = new Uint8Array(bytes);
  let filled = 0;
  // The first sentence introduces a name, so that every repetition has one to repeat.
  let state = 'intro';
  let lastName = '';
  for (;;) {
    const { words, weights } = CLASSES[state];
    const word = state === 'oldName' ? lastName : words[random.categorical(weights)];
    if (state === 'newName') lastName = word;
    for (let i = 0; i < word.length; i++) {
      if (filled === bytes) return out;
      out[filled++] = word.charCodeAt(i);
    }
    const choices = nexts.get(state) as [string, number][];
    state = choices[random.categorical(choices.map(([, p]) => p))][0];
  }
}

/** How many bits the ideal coder, which knows the source, spends on the words of a text. */
export interface IdealCode {
  bits: number;
  /** Bytes of the words counted; a last word that is cut off is not. */
  bytes: number;
}

/**
 * Code length -log2 P of a text of the source, read from the text alone. Words that begin before `from` are read, for
 * the state, but not counted: the floor of a validation part that starts there.
 *
 * @throws ArgumentError at the first word that the source cannot have written.
 */
export function idealCode(text: Uint8Array, from = 0): IdealCode {
  let bits = 0;
  let bytes = 0;
  let position = 0;
  let state: string | undefined;
  let lastName = '';
  while (position < text.length) {
    const end = wordEnd(text, position);
    if (end < 0) break;
    const word = String.fromCharCode(...text.subarray(position, end));
    const choices = state === undefined ? { intro: 1 } : CLASSES[state].next;
    const found = Object.entries(choices).find(([name]) => wordsOf(name).has(word));
    if (!found || (found[0] === 'oldName' && word !== lastName)) {
      throw new ArgumentError(
        `idealCode: text must come from generateText, got "${word}" at byte ${position}`,
      );
    }
    const [name, p] = found;
    if (position >= from) {
      bits -= log2(p) + (name === 'oldName' ? 0 : log2(wordsOf(name).get(word) as number));
      bytes += word.length;
    }
    if (name === 'newName') lastName = word;
    state = name;
    position = end;
  }
  return { bits, bytes };
}

/** End of the word that begins at `start`: a mark with its newline, or up to the next space or mark; -1 if cut off. */
function wordEnd(text: Uint8Array, start: number): number {
  const isMark = (byte: number): boolean => byte === 0x2e || byte === 0x21 || byte === 0x3f;
  if (isMark(text[start])) return start + 2 <= text.length ? start + 2 : -1;
  for (let i = start + 1; i < text.length; i++) if (text[i] === 0x20 || isMark(text[i])) return i;
  return -1;
}
