/** Exact predicates over the values of an arm. */
import type { Finding } from './analysis.js';
import type { Measurement, Predicate } from './types.js';

const exact = (outcome: Finding['outcome'], why: string): Finding => ({
  outcome,
  why,
  seeds: 0,
  clearance: outcome === 'inconclusive' ? 0 : Infinity,
});

const missing = (why: string): Finding => ({ ...exact('inconclusive', why), missing: true });

/** Supports when the predicate holds for every value, refutes when it fails, inconclusive without finite values. */
export function checkPredicate(
  arm: string,
  predicate: Predicate,
  measurements: readonly Measurement[],
): Finding {
  const own = measurements
    .filter((m) => m.arm === arm)
    .sort((a, b) => (a.at ?? 0) - (b.at ?? 0) || (a.seed ?? 0) - (b.seed ?? 0) || a.value - b.value);
  if (own.length === 0) return missing(`Arm ${arm} has no value.`);
  const broken = own.find((m) => !Number.isFinite(m.value));
  if (broken) return exact('inconclusive', `Arm ${arm} has the value ${broken.value}.`);
  switch (predicate.is) {
    case 'constant':
      return constant(arm, own);
    case 'increasing':
      return increasing(arm, own);
    case 'equal': {
      const { value, tolerance = 0 } = predicate;
      const wrong = own.find((m) => !(Math.abs(m.value - value) <= tolerance));
      return wrong
        ? exact('refutes', `${arm}${place(wrong)} is ${wrong.value}, not ${value}.`)
        : exact(
            'supports',
            `${arm} is ${value}${tolerance === 0 ? '' : ` within ${tolerance}`} in all ${own.length} values.`,
          );
    }
    case 'between': {
      const { low, high } = predicate;
      const wrong = own.find((m) => !(m.value >= low && m.value <= high));
      return wrong
        ? exact('refutes', `${arm}${place(wrong)} is ${wrong.value}, outside ${low} to ${high}.`)
        : exact('supports', `All ${own.length} values of ${arm} lie in ${low} to ${high}.`);
    }
    case 'equals-arm':
      return equalsArm(arm, own, predicate.arm, predicate.relative ?? 0, measurements);
    default:
      return predicate satisfies never;
  }
}

const place = (m: Measurement): string =>
  (m.at === undefined ? '' : ` at ${m.at}`) + (m.seed === undefined ? '' : ` (seed ${m.seed})`);

function severalPlaces(own: readonly Measurement[]): boolean {
  return new Set(own.map((m) => m.at)).size > 1 && own.every((m) => m.at !== undefined);
}

function constant(arm: string, own: readonly Measurement[]): Finding {
  if (!severalPlaces(own)) return missing(`Arm ${arm} was measured at one place only.`);
  const first = own[0];
  const last = own[own.length - 1];
  const wrong = own.find((m) => m.value !== first.value);
  return wrong
    ? exact('refutes', `${arm} is ${first.value}${place(first)} and ${wrong.value}${place(wrong)}.`)
    : exact('supports', `${arm} is ${first.value} everywhere from ${first.at} to ${last.at}.`);
}

function increasing(arm: string, own: readonly Measurement[]): Finding {
  if (!severalPlaces(own)) return missing(`Arm ${arm} was measured at one place only.`);
  for (let i = 1; i < own.length; i++) {
    const [before, after] = [own[i - 1], own[i]];
    const rises = before.at === after.at ? before.value === after.value : before.value < after.value;
    if (!rises) {
      return exact('refutes', `${arm} is ${before.value}${place(before)} and ${after.value}${place(after)}.`);
    }
  }
  const last = own[own.length - 1];
  return exact(
    'supports',
    `${arm} rises from ${own[0].value}${place(own[0])} to ${last.value}${place(last)}.`,
  );
}

function equalsArm(
  arm: string,
  own: readonly Measurement[],
  other: string,
  relative: number,
  measurements: readonly Measurement[],
): Finding {
  for (const m of own) {
    const partners = measurements.filter((n) => n.arm === other && n.seed === m.seed && n.at === m.at);
    if (partners.length === 0) return missing(`Arm ${other} has no value${place(m)}.`);
    for (const partner of partners) {
      if (!Number.isFinite(partner.value)) {
        return exact('inconclusive', `Arm ${other} has the value ${partner.value}.`);
      }
      if (!(Math.abs(m.value - partner.value) <= relative * Math.abs(partner.value))) {
        return exact('refutes', `${arm}${place(m)} is ${m.value}, ${other} is ${partner.value}.`);
      }
    }
  }
  return exact('supports', `${arm} equals ${other} in all ${own.length} values.`);
}
