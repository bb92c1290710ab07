import { describe, expect, it } from 'vitest';
import {
  activationTable,
  coClusterExperts,
  countTraffic,
  plantAffinity,
  Random,
  randomPlacement,
  rankScores,
  shuffleTokens,
  tokensInBlocks,
  type ExpertPlacement,
  type RoutingTrace,
} from '../../lib/index.js';

const RANKS = 4;
const options = { vocabulary: 300, experts: 16, layers: 2, choices: 2, groups: RANKS };
const draw = (affinity: number, seed = 'test') => {
  const truth = plantAffinity({ ...options, affinity }, seed);
  const random = new Random(seed);
  return {
    truth,
    seen: truth.draw(6000, random.split('seen')),
    fresh: truth.draw(4000, random.split('fresh')),
  };
};

describe('plantAffinity', () => {
  it('draws distinct experts, all of the own group at affinity 1, any at 0', () => {
    for (const affinity of [0, 1]) {
      const { truth, seen } = draw(affinity);
      let own = 0;
      for (let i = 0; i < seen.choices.length; i += 2) {
        expect(seen.choices[i]).not.toBe(seen.choices[i + 1]);
        const [token, layer] = [Math.floor(i / 4), (i / 2) % 2];
        const group = truth.idGroup[seen.ids[token]];
        for (const e of [seen.choices[i], seen.choices[i + 1]])
          if (truth.expertGroup[layer * 16 + e] === group) own += 1;
      }
      const share = own / seen.choices.length;
      if (affinity === 1) expect(share).toBe(1);
      else expect(Math.abs(share - 1 / RANKS)).toBeLessThan(0.02);
    }
  });

  it('draws ids by their frequencies and the same ones again', () => {
    const { seen } = draw(0.5);
    const count = (id: number) => seen.ids.filter((v) => v === id).length;
    expect(count(0) / count(1)).toBeCloseTo(2, 0);
    expect(draw(0.5).seen.choices).toEqual(seen.choices);
    expect(draw(0.5, 'other').seen.choices).not.toEqual(seen.choices);
  });

  it('refuses what cannot be planted', () => {
    const plant = (more: object) => () => plantAffinity({ ...options, affinity: 0.5, ...more }, 1);
    expect(plant({ affinity: 1.5 })).toThrow(/affinity must lie in 0..1, got 1.5/);
    expect(plant({ choices: 5 })).toThrow(/choices must not exceed the 4 experts of a group, got 5/);
    expect(plant({ groups: 3 })).toThrow(/experts must be a multiple of groups, got 16 and 3/);
  });
});

/** The best share of choices on a rank over every balanced placement of one layer: what no heuristic can beat. */
function exhaustive(trace: RoutingTrace, ranks: number): number {
  const table = activationTable(trace);
  const own = table.experts / ranks;
  let best = 0;
  const visit = (expertRank: number[]): void => {
    if (expertRank.length === table.experts) {
      const scores = rankScores(table, { ranks, expertRank: Int32Array.from(expertRank) });
      let served = 0;
      for (let id = 0; id < table.vocabulary; id++)
        served += Math.max(...scores.subarray(id * ranks, (id + 1) * ranks));
      best = Math.max(best, served / trace.choices.length);
      return;
    }
    for (let r = 0; r < ranks; r++)
      if (expertRank.filter((v) => v === r).length < own) visit([...expertRank, r]);
  };
  visit([]);
  return best;
}

describe('coClusterExperts', () => {
  it('places equal numbers of experts on every rank in every layer', () => {
    const { expertRank } = coClusterExperts(activationTable(draw(0.3).seen), RANKS);
    for (const layer of [0, 1])
      for (let r = 0; r < RANKS; r++)
        expect(expertRank.subarray(layer * 16, (layer + 1) * 16).filter((v) => v === r).length).toBe(4);
  });

  it('serves as much as the planted placement does, within 2 % of it', () => {
    for (const affinity of [0.5, 0.8, 1])
      for (const seed of ['a', 'b', 'c']) {
        const { truth, seen, fresh } = draw(affinity, seed);
        const table = activationTable(seen);
        const planted = { ranks: RANKS, expertRank: truth.expertGroup };
        const local = (placement: ExpertPlacement) =>
          1 - countTraffic(fresh, shuffleTokens(fresh.ids, table, placement), placement).remote;
        expect(local(coClusterExperts(table, RANKS))).toBeGreaterThan(0.98 * local(planted));
      }
  });

  it('comes close to the best of all placements of a small case, whose search is exhaustive', () => {
    const small = { vocabulary: 24, experts: 6, layers: 1, choices: 2, groups: 2, affinity: 0.7 };
    for (const seed of [1, 2, 3]) {
      const trace = plantAffinity(small, seed).draw(400, new Random(seed));
      const found = coClusterExperts(activationTable(trace), 2).local;
      const best = exhaustive(trace, 2);
      expect(found).toBeLessThanOrEqual(best);
      expect(found).toBeGreaterThan(0.97 * best);
    }
  });

  it('refuses ranks that do not divide the experts', () => {
    const table = activationTable(draw(0.5).seen);
    expect(() => coClusterExperts(table, 3)).toThrow(/ranks must divide experts \(16\), got 3/);
  });
});

describe('shuffleTokens', () => {
  it('fills no rank beyond its part and keeps every token', () => {
    const { seen, fresh } = draw(0.8);
    const table = activationTable(seen);
    const home = shuffleTokens(fresh.ids, table, coClusterExperts(table, RANKS));
    for (let r = 0; r < RANKS; r++) expect(home.filter((v) => v === r).length).toBe(1000);
  });

  it('gains nothing where there is no affinity, on tokens that the table has not seen', () => {
    const { seen, fresh } = draw(0);
    const table = activationTable(seen);
    const placement = coClusterExperts(table, RANKS);
    const { remote } = countTraffic(fresh, shuffleTokens(fresh.ids, table, placement), placement);
    expect(Math.abs(remote - (1 - 1 / RANKS))).toBeLessThan(0.02);
  });
});

describe('countTraffic', () => {
  it('counts by hand', () => {
    const trace: RoutingTrace = {
      ids: Int32Array.of(0, 1),
      choices: Int32Array.of(0, 1, 2, 3),
      vocabulary: 2,
      experts: 4,
      layers: 1,
      perToken: 2,
    };
    const placement = { ranks: 2, expertRank: Int32Array.of(0, 0, 1, 1) };
    expect(countTraffic(trace, Int32Array.of(0, 0), placement)).toEqual({ remote: 0.5, ranksPerToken: 0.5 });
    expect(countTraffic(trace, Int32Array.of(0, 1), placement)).toEqual({ remote: 0, ranksPerToken: 0 });
    expect(countTraffic(trace, tokensInBlocks(2, 2), placement).remote).toBe(0);
  });

  it('sees (P - 1) / P of the choices leave where experts lie at random', () => {
    const { fresh } = draw(0.8);
    const placement = randomPlacement(fresh, RANKS, new Random('random'));
    const { remote } = countTraffic(fresh, tokensInBlocks(4000, RANKS), placement);
    expect(Math.abs(remote - 0.75)).toBeLessThan(0.02);
  });
});
