/** The protocol counts cursor positions in code points; JavaScript and the compiler count UTF-16 units. */

/** UTF-16 offset of the code point number `cursor`; positions beyond the ends mean the ends. */
export function toUnits(code: string, cursor: number): number {
  let units = 0;
  for (let points = 0; points < cursor && units < code.length; points++)
    units += code.codePointAt(units)! > 0xffff ? 2 : 1;
  return units;
}

/** Number of code points before the UTF-16 offset. */
export function toPoints(code: string, units: number): number {
  let points = 0;
  for (let at = 0; at < Math.min(units, code.length); at += code.codePointAt(at)! > 0xffff ? 2 : 1) points++;
  return points;
}
