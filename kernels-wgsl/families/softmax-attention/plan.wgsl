// Tiles of queries or of keys for the attention kernels, with everything that is looked up by sequence, block or head:
// packed starts, keys in use, prefixes, the block mask, slopes and sinks. Values are clamped, as nobody reads them back.
struct Params {
  count: u32, tile: u32, of_keys: u32, tq: u32, tk: u32, keys: u32, sequences: u32, per: u32, packed: u32,
  has_counts: u32, has_prefix: u32, mask_at: u32, mask_size: u32, alibi_at: u32, sink_at: u32, heads: u32,
}
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> cu_q: array<i32>; // [S + 1]
@group(0) @binding(2) var<storage, read> cu_k: array<i32>; // [S + 1]
@group(0) @binding(3) var<storage, read> counts: array<i32>; // [sequences]
@group(0) @binding(4) var<storage, read> prefix: array<i32>; // [sequences]
@group(0) @binding(5) var<storage, read> mask: array<i32>; // [mask_size]
@group(0) @binding(6) var<storage, read> alibi: array<f32>; // [H]
@group(0) @binding(7) var<storage, read> sink: array<f32>; // [H]
@group(0) @binding(8) var<storage, read_write> plan: array<i32>; // [12 tiles + tables], see shared/attention

// include shared/linear.wgsl
fn queryStart(s: u32) -> i32 { return clamp(cu_q[s], 0, i32(params.tq)); }
fn keyStart(s: u32) -> i32 { return clamp(cu_k[s], 0, i32(params.tk)); }

fn writeTile(index: u32) {
  var s = index / max(params.per, 1u);
  var number = index % max(params.per, 1u);
  var q0 = i32(s * params.tq);
  var k0 = i32(s * params.tk);
  var tq = i32(params.tq);
  var room = i32(params.tk);
  if (params.packed == 1u) {
    number = index;
    tq = 0;
    room = 0;
    for (s = 0u; s < params.sequences; s++) {
      q0 = queryStart(s);
      k0 = keyStart(s);
      tq = max(0, queryStart(s + 1u) - q0);
      room = max(0, keyStart(s + 1u) - k0);
      let tiles = (u32(select(tq, room, params.of_keys == 1u)) + params.tile - 1u) / params.tile;
      if (number < tiles) { break; }
      number -= tiles;
    }
    if (s == params.sequences) {
      tq = 0;
      room = 0;
      s = 0u;
    }
  }
  var tk = min(room, i32(params.keys));
  if (params.has_counts == 1u) { tk = clamp(counts[s], 0, room); }
  let at = index * 12u;
  plan[at] = i32(number * params.tile);
  plan[at + 1u] = q0;
  plan[at + 2u] = tq;
  plan[at + 3u] = k0;
  plan[at + 4u] = tk;
  plan[at + 5u] = room;
  plan[at + 6u] = 0;
  if (params.has_prefix == 1u) { plan[at + 6u] = prefix[s]; }
  plan[at + 7u] = select(i32(s), 0, params.packed == 1u);
  plan[at + 8u] = select(0, q0, params.packed == 1u);
  plan[at + 9u] = select(0, k0, params.packed == 1u);
}

@compute @workgroup_size(256)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
  let index = linearIndex(id, groups);
  if (index < params.count) { writeTile(index); }
  if (index < params.mask_size) { plan[params.mask_at + index] = mask[index]; }
  if (index < params.heads && params.alibi_at > 0u) { plan[params.alibi_at + index] = bitcast<i32>(alibi[index]); }
  if (index < params.heads && params.sink_at > 0u) { plan[params.sink_at + index] = bitcast<i32>(sink[index]); }
}
