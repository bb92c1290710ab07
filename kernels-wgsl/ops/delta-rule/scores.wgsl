// First phase of the chunked delta rule, one workgroup a chunk and head: the gates of its tokens, and the triangles of
// its keys and queries with its keys; 4 x 4 pairs of both an invocation.
alias F = f32; // define: f32 | f16
override DECAY: u32 = 0u;

struct Params { rows: u32, heads: u32, groups: u32, k: u32, v: u32, }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> q: array<F>; // [tokens, G, K]
@group(0) @binding(2) var<storage, read> k: array<F>; // [tokens, G, K]
@group(0) @binding(3) var<storage, read> beta: array<F>; // [tokens, H]
@group(0) @binding(4) var<storage, read> decay: array<f32>; // [tokens, H]
@group(0) @binding(5) var<storage, read> slots: array<i32>; // [slots, 4]
@group(0) @binding(6) var<storage, read_write> gates: array<vec4<f32>>; // [tokens, H]
@group(0) @binding(7) var<storage, read_write> scores: array<vec4<f32>>; // [slots, H, 2, 32, 8]

// include shared/delta-rule.wgsl
// include shared/delta-decays.wgsl
var<workgroup> key_tile: array<vec4<f32>, 128>; // [16, 8]
var<workgroup> query_tile: array<vec4<f32>, 128>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) wgs: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let row = rowIndex(group, wgs);
  if (row >= params.rows) { return; }
  let h = row % params.heads;
  let slot = slotAt(row / params.heads);
  if (lane < CHUNK) {
    var g = 0.0;
    if (DECAY == 1u && lane < slot.size) { g = decay[(slot.begin + lane) * params.heads + h]; }
    logs[lane] = g;
  }
  workgroupBarrier();
  if (lane < slot.size) {
    var before = 0.0;
    var after = 0.0;
    for (var l = 0u; l < slot.size; l++) {
      if (l <= lane) { before += logs[l]; } else { after += logs[l]; }
    }
    let at = (slot.begin + lane) * params.heads + h;
    gates[at] = vec4(f32(beta[at]), exp(before), exp(after), logs[lane]);
  }
  let i = lane / 8u;
  let j = lane % 8u;
  var own: array<vec4<f32>, 4>;
  var asked: array<vec4<f32>, 4>;
  for (var e0 = 0u; e0 < params.k; e0 += 16u) {
    for (var tokens = lane / 16u; tokens < 8u; tokens += 4u) {
      let e = lane % 16u;
      var keys = vec4(0.0);
      var queries = vec4(0.0);
      for (var r = 0u; r < 4u; r++) {
        if (tokens * 4u + r < slot.size && e0 + e < params.k) {
          let at = atKey(slot.begin + tokens * 4u + r, h) + e0 + e;
          keys[r] = f32(k[at]);
          queries[r] = f32(q[at]);
        }
      }
      key_tile[e * 8u + tokens] = keys;
      query_tile[e * 8u + tokens] = queries;
    }
    workgroupBarrier();
    for (var e = 0u; e < min(16u, params.k - e0); e++) {
      let keys = key_tile[e * 8u + j];
      let rows = key_tile[e * 8u + i];
      let queries = query_tile[e * 8u + i];
      for (var c = 0u; c < 4u; c++) {
        own[c] += keys[c] * rows;
        asked[c] += keys[c] * queries;
      }
    }
    workgroupBarrier();
  }
  for (var c = 0u; c < 4u; c++) {
    let column = j * 4u + c;
    let d = decaysFrom(column, i * 4u);
    let below = vec4(i * 4u, i * 4u + 1u, i * 4u + 2u, i * 4u + 3u) > vec4(column);
    let at = row * 512u + column * 8u + i;
    scores[at] = select(vec4(0.0), own[c] * d, below);
    scores[at + 256u] = asked[c] * d;
  }
}
