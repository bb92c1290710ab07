// Time and constants of the selective scan. Needs QUADS, the vectors of four states (quads) of a channel, and the binding
// `table`, filled by table.wgsl, in vec4: rates [D, QUADS]; from at_channel (skip weight, step bias, 0, 0) [D]; from
// at_slots, when packed, (first token, tokens, first kept row, 0) [slots]; from at_b and at_c B and C,
// [tokens, G, QUADS] or, when fixed, [D, QUADS]. A slot is a chunk of a sequence or a whole one.
const LANES = 64u;
// Tokens between barriers, and between kept states.
const TILE = 16u;

struct Params {
  slots: u32, d: u32, states: u32, time: u32, groups: u32, blocks: u32, chunk: u32, per: u32, packed: u32, softplus: u32,
  b_varies: u32, c_varies: u32, at_channel: u32, at_slots: u32, at_b: u32, at_c: u32, tokens: u32, start_width: u32,
  plane: u32, at_partial: u32, at_sums: u32, sum_width: u32,
}
struct Slot { begin: u32, size: u32, kept: u32, }

fn slotAt(i: u32) -> Slot {
  if (params.packed == 1u) {
    let row = vec4<u32>(table[params.at_slots + i]);
    return Slot(row.x, row.y, row.z);
  }
  let first = (i % params.per) * params.chunk;
  let kept = (i / params.per) * ((params.time + TILE - 1u) / TILE) + first / TILE;
  return Slot((i / params.per) * params.time + first, min(params.chunk, params.time - first), kept);
}

// Step size of a token of channel d, from delta.
fn stepOf(delta: f32, d: u32) -> f32 {
  let raw = delta + table[params.at_channel + d].y;
  if (params.softplus == 1u) { return softplus(raw); }
  return raw;
}
