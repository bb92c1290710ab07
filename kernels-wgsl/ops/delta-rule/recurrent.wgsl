// The delta rule token by token, one invocation a column of values, which holds its column of the state. `states` has the
// initial states where SEEDED and the final ones after.
alias F = f32; // define: f32 | f16
const QUADS = 16u; // define: 16u | 32u | 64u
override DECAY: u32 = 0u;
override SEEDED: u32 = 0u;

struct Params {
  rows: u32, heads: u32, groups: u32, k: u32, v: u32, tiles: u32, time: u32, packed: u32, quads: u32, scale: f32,
}
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> q: array<F>; // [tokens, G, K]
@group(0) @binding(2) var<storage, read> k: array<F>; // [tokens, G, K]
@group(0) @binding(3) var<storage, read> v: array<F>; // [tokens, H, V]
@group(0) @binding(4) var<storage, read> beta: array<F>; // [tokens, H]
@group(0) @binding(5) var<storage, read> decay: array<f32>; // [tokens, H]
@group(0) @binding(6) var<storage, read> cu: array<i32>; // [S + 1] when packed
@group(0) @binding(7) var<storage, read_write> states: array<f32>; // [S, H, K, V]
@group(0) @binding(8) var<storage, read_write> y: array<F>; // [tokens, H, V]

// include shared/rows.wgsl
// include shared/scan-sequence.wgsl
// include shared/decay.wgsl
var<workgroup> keys: array<vec4<f32>, QUADS>;
var<workgroup> queries: array<vec4<f32>, QUADS>;

// The key and query of a token, zeros past K.
fn load(at: u32, lane: u32) {
  if (lane >= params.quads) { return; }
  var x = vec4(0.0);
  var z = vec4(0.0);
  for (var c = 0u; c < 4u; c++) {
    if (lane * 4u + c < params.k) {
      x[c] = f32(k[at + lane * 4u + c]);
      z[c] = f32(q[at + lane * 4u + c]);
    }
  }
  keys[lane] = x;
  queries[lane] = z;
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) wgs: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let row = rowIndex(group, wgs);
  if (row >= params.rows) { return; }
  let h = row / params.tiles % params.heads;
  let s = row / params.tiles / params.heads;
  let wanted = row % params.tiles * 64u + lane;
  let column = min(wanted, params.v - 1u);
  let at_state = (s * params.heads + h) * params.k * params.v + column;
  var state: array<vec4<f32>, QUADS>;
  for (var e = 0u; e < params.k; e++) {
    if (SEEDED == 1u) { state[e / 4u][e % 4u] = states[at_state + e * params.v]; }
  }
  let range = sequence(s);
  for (var token = range.x; token < range.y; token++) {
    load((token * params.groups + h * params.groups / params.heads) * params.k, lane);
    workgroupBarrier();
    let gate = token * params.heads + h;
    var e_g = 1.0;
    if (DECAY == 1u) { e_g = decayOf(decay[gate]); }
    var predicted = vec4(0.0);
    for (var e = 0u; e < params.quads; e++) {
      let x = e_g * state[e];
      state[e] = x;
      predicted += keys[e] * x;
    }
    let sum = (predicted.x + predicted.y) + (predicted.z + predicted.w);
    let written = f32(beta[gate]) * (f32(v[gate * params.v + column]) - sum);
    var read = vec4(0.0);
    for (var e = 0u; e < params.quads; e++) {
      let x = state[e] + keys[e] * written;
      state[e] = x;
      read += queries[e] * x;
    }
    if (wanted < params.v) { y[gate * params.v + column] = F(params.scale * ((read.x + read.y) + (read.z + read.w))); }
    workgroupBarrier();
  }
  // Columns past V repeat the last one, and all must have read it before it is written.
  workgroupBarrier();
  if (wanted >= params.v) { return; }
  for (var e = 0u; e < params.k; e++) { states[at_state + e * params.v] = state[e / 4u][e % 4u]; }
}
