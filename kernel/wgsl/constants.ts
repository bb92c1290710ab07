/** Values of WGSL's constant expressions over whole numbers, as array sizes use them. */

/** Value of `expression` under the `const` declarations of `text`. */
export function constantValue(expression: string, text: string): number {
  const tokens = expression.match(/\w+|[-+*/%(),]/g) ?? [];
  let at = 0;
  const take = (token: string): boolean => tokens[at] === token && at++ >= 0;
  const fail = (): never => {
    throw new Error(`wgsl export: array sizes must be whole numbers, got ${expression}`);
  };
  const value = (): number => {
    if (take('(')) {
      const inner = sum();
      return take(')') ? inner : fail();
    }
    const word = tokens[at++] ?? fail();
    if (/^\d/.test(word)) return Number.parseInt(word);
    if ((word === 'min' || word === 'max') && take('(')) {
      const values = [sum()];
      while (take(',')) values.push(sum());
      return take(')') ? Math[word](...values) : fail();
    }
    const declared = new RegExp(`^const ${word}\\b[^=]*=\\s*([^;]+);`, 'm').exec(text)?.[1];
    return declared === undefined ? fail() : constantValue(declared, text);
  };
  const product = (): number => {
    let result = value();
    for (;;)
      if (take('*')) result *= value();
      else if (take('/')) result = Math.trunc(result / value());
      else if (take('%')) result %= value();
      else return result;
  };
  const sum = (): number => {
    let result = product();
    for (;;)
      if (take('+')) result += product();
      else if (take('-')) result -= product();
      else return result;
  };
  const result = sum();
  return at === tokens.length ? result : fail();
}
