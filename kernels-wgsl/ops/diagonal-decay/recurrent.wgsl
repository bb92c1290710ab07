// The recurrence token by token: a workgroup of 16 x 16 invocations owns 16 columns of V of one head of one sequence, an
// invocation the lanes group, group + 16, ... of K of its column.
override EXCLUSIVE: u32 = 0u;
override VARIES: u32 = 1u;
override SEEDED: u32 = 0u;
alias F = f32; // define: f32 | f16
const LANES = 4u; // define: 4 | 8 | 32

struct Params { rows: u32, tiles: u32, heads: u32, k: u32, v: u32, time: u32, packed: u32, scale: f32, }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> q: array<F>; // [tokens, H, K]
@group(0) @binding(2) var<storage, read> k: array<F>; // [tokens, H, K]
@group(0) @binding(3) var<storage, read> v: array<F>; // [tokens, H, V]
@group(0) @binding(4) var<storage, read> decay: array<f32>; // [tokens, H, K] or [H, K]
@group(0) @binding(5) var<storage, read> bonus: array<f32>; // [H, K]
@group(0) @binding(6) var<storage, read> cu: array<i32>; // [S + 1] when packed
@group(0) @binding(7) var<storage, read_write> y: array<F>; // [tokens, H, V]
@group(0) @binding(8) var<storage, read_write> state: array<f32>; // [S, H, K, V]: initial where SEEDED, then final

// include shared/scan-sequence.wgsl
// include shared/decay.wgsl
const WIDE = LANES * 16u;
var<workgroup> queries: array<f32, WIDE>;
var<workgroup> keys: array<f32, WIDE>;
var<workgroup> decays: array<f32, WIDE>;
var<workgroup> direct: array<f32, WIDE>; // q u k, with a bonus
var<workgroup> parts: array<f32, 256>;

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(num_workgroups) wgs: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let row = wg.x + wg.y * wgs.x;
  if (row >= params.rows) { return; }
  let column = (row % params.tiles) * 16u + lane % 16u;
  let group = lane / 16u;
  let h = (row / params.tiles) % params.heads;
  let s = row / params.tiles / params.heads;
  let range = sequence(s);
  let at_state = (s * params.heads + h) * params.k * params.v + column;
  var own: array<f32, LANES>;
  for (var i = 0u; i < LANES; i++) {
    let c = group + i * 16u;
    own[i] = 0.0;
    if (SEEDED == 1u && c < params.k && column < params.v) { own[i] = state[at_state + c * params.v]; }
  }
  for (var t = range.x; t < range.y; t++) {
    let head = t * params.heads + h;
    for (var c = lane; c < WIDE; c += 256u) {
      queries[c] = 0.0;
      keys[c] = 0.0;
      decays[c] = 1.0;
      direct[c] = 0.0;
      if (c < params.k) {
        queries[c] = f32(q[head * params.k + c]) * params.scale;
        keys[c] = f32(k[head * params.k + c]);
        decays[c] = decayOf(decay[select(h * params.k, head * params.k, VARIES == 1u) + c]);
        if (EXCLUSIVE == 1u) { direct[c] = queries[c] * keys[c] * bonus[h * params.k + c]; }
      }
    }
    var value = 0.0;
    if (column < params.v) { value = f32(v[head * params.v + column]); }
    workgroupBarrier();
    var sum = 0.0;
    for (var i = 0u; i < LANES; i++) {
      let c = group + i * 16u;
      let next = decays[c] * own[i] + keys[c] * value;
      if (EXCLUSIVE == 1u) { sum += queries[c] * own[i] + direct[c] * value; } else { sum += queries[c] * next; }
      own[i] = next;
    }
    parts[lane] = sum;
    workgroupBarrier();
    if (group == 0u && column < params.v) {
      var total = 0.0;
      for (var g = 0u; g < 16u; g++) { total += parts[g * 16u + lane]; }
      y[head * params.v + column] = F(total);
    }
  }
  for (var i = 0u; i < LANES; i++) {
    let c = group + i * 16u;
    if (c < params.k && column < params.v) { state[at_state + c * params.v] = own[i]; }
  }
}
