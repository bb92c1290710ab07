// Log-decays, one workgroup a chunk and head: to the pairs that cross a token come reads of the state before it, from
// that token on, writes into what follows by tokens before it, and the state that passes all of the chunk.
alias F = f32; // define: f32 | f16

struct Params { rows: u32, heads: u32, groups: u32, k: u32, v: u32, plane: u32, }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> q: array<F>; // [tokens, G, K]
@group(0) @binding(2) var<storage, read> k: array<F>; // [tokens, G, K]
@group(0) @binding(3) var<storage, read> through: array<f32>; // [3, tokens, H, K]
@group(0) @binding(4) var<storage, read> states: array<f32>; // [slots, H, K, V]
@group(0) @binding(5) var<storage, read> dstates: array<f32>; // [slots, H, K, V]
@group(0) @binding(6) var<storage, read> gates: array<vec4<f32>>; // [tokens, H]
@group(0) @binding(7) var<storage, read> slots: array<i32>; // [slots, 4]
@group(0) @binding(8) var<storage, read_write> ddecay: array<f32>; // [tokens, H]

// include shared/delta-rule.wgsl
var<workgroup> reads: array<f32, 256>; // [32 tokens, 8]
var<workgroup> writes: array<f32, 256>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) wgs: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let chunk = rowIndex(group, wgs);
  if (chunk >= params.rows) { return; }
  let h = chunk % params.heads;
  let slot = slotAt(chunk / params.heads);
  let size = params.k * params.v;
  var passing = 0.0;
  for (var e = lane; e < size; e += LANES) { passing += states[chunk * size + e] * dstates[chunk * size + e]; }
  passing = treeSum(passing, lane);
  for (var token = lane / 8u; token < CHUNK; token += 8u) {
    var read = 0.0;
    var write = 0.0;
    if (token < slot.size) {
      let at_key = atKey(slot.begin + token, h);
      let at = atHead(slot.begin + token, h, params.k);
      for (var e = lane % 8u; e < params.k; e += 8u) {
        let key = f32(k[at_key + e]);
        read += f32(q[at_key + e]) * through[at + e] + key * through[params.plane + at + e];
        write += key * through[2u * params.plane + at + e];
      }
    }
    reads[token * 8u + lane % 8u] = read;
    writes[token * 8u + lane % 8u] = write;
  }
  workgroupBarrier();
  if (lane >= slot.size) { return; }
  let whole = gates[(slot.begin + slot.size - 1u) * params.heads + h].y;
  let at = (slot.begin + lane) * params.heads + h;
  var total = ddecay[at] + whole * passing;
  for (var token = 0u; token < slot.size; token++) {
    for (var e = 0u; e < 8u; e++) {
      if (token < lane) { total += writes[token * 8u + e]; } else { total += reads[token * 8u + e]; }
    }
  }
  ddecay[at] = total;
}
