/**
 * ANSI colours of texts in tracebacks: only those that can be read on JupyterLab's light and dark ground of errors.
 * Grey (90) is nearly black there, bold red is too dark on dark red, cyan and yellow fade on light red.
 */

const CODES = {
  red: [31, 39],
  green: [32, 39],
  yellow: [33, 39],
  blue: [34, 39],
  cyan: [36, 39],
  bold: [1, 22],
} as const;

export type Colour = keyof typeof CODES;

/**
 * Shall printed text and results be coloured? Only where the environment asks for it: a notebook that is saved,
 * compared or read as a log is better without escape sequences. Tracebacks have their colours always.
 */
export function coloursWanted(environment = process.env): boolean {
  const { FORCE_COLOR } = environment;
  return FORCE_COLOR !== undefined && !['0', 'false'].includes(FORCE_COLOR);
}

/** `text` in a colour; unchanged when colours are off. Each line is closed, so that lines can be cut apart. */
export function paint(text: string, colour: Colour, on = true): string {
  if (!on || text === '') return text;
  const [open, close] = CODES[colour];
  return text
    .split('\n')
    .map((line) => (line === '' ? '' : `\u001b[${open}m${line}\u001b[${close}m`))
    .join('\n');
}

const SEQUENCE = /\u001b(?:\[[0-9;?]*[ -/]*[@-~]|\][^\u0007\u001b]*(?:\u0007|\u001b\\)?|[@-Z\\-_])/g;

/** Text without its escape sequences. */
export function plain(text: string): string {
  return text.replace(SEQUENCE, '');
}

const CONTROL = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f]/g;

/** Control characters as visible pictures, one for one, so that quoted source cannot steer the reader's screen. */
export function visible(text: string): string {
  return text.replace(CONTROL, (c) =>
    c === '\u007f' ? '\u2421' : String.fromCharCode(0x2400 + c.charCodeAt(0)),
  );
}

/** Columns a text takes in a fixed-width font: wide characters two, combining marks none. */
export function columns(text: string): number {
  let width = 0;
  for (const character of text) {
    if (/\p{Mark}|\u200d|\ufe0f/u.test(character)) continue;
    width += WIDE.test(character) ? 2 : 1;
  }
  return width;
}

const WIDE =
  /[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]|\p{Emoji_Presentation}/u;
