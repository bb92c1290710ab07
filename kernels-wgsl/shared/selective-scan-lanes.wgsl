// Lanes across channels and states: a lane holds one quad of one channel, a workgroup CHANNELS channels of one group.
const CHANNELS = LANES / QUADS;
// Channel d is the at-th of the `live` ones from `first` on; lanes beyond them repeat the last and must not write. B and
// C of the first token lie at b and c.
struct Lane { group: u32, b: u32, c: u32, first: u32, live: u32, at: u32, d: u32, q: u32, owns: bool, }

fn laneOf(row: u32, lane: u32) -> Lane {
  let block = row % params.blocks;
  let group = (row / params.blocks) % params.groups;
  let width = params.d / params.groups;
  let live = min(CHANNELS, width - block * CHANNELS);
  let first = group * width + block * CHANNELS;
  let local = lane / QUADS;
  let at = min(local, live - 1u);
  let d = first + at;
  let q = lane % QUADS;
  let b = params.at_b + select(d, group, params.b_varies == 1u) * QUADS + q;
  let c = params.at_c + select(d, group, params.c_varies == 1u) * QUADS + q;
  return Lane(group, b, c, first, live, at, d, q, local < live);
}

// Where the quads of B and C of token t lie.
fn atB(t: u32, l: Lane) -> u32 { return l.b + t * (params.b_varies * params.groups * QUADS); }
fn atC(t: u32, l: Lane) -> u32 { return l.c + t * (params.c_varies * params.groups * QUADS); }
