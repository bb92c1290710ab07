// Second phase: (I + N diag(beta)) X = [e^b K, V] for each chunk and head, by forward substitution, one invocation a
// column, four rows at a time. Columns below K go to w, the others to u.
alias F = f32; // define: f32 | f16

struct Params { rows: u32, heads: u32, groups: u32, k: u32, v: u32, columns: u32, blocks: u32, }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> k: array<F>; // [tokens, G, K]
@group(0) @binding(2) var<storage, read> v: array<F>; // [tokens, H, V]
@group(0) @binding(3) var<storage, read> gates: array<vec4<f32>>; // [tokens, H]
@group(0) @binding(4) var<storage, read> scores: array<vec4<f32>>; // [slots, H, 2, 32, 8]
@group(0) @binding(5) var<storage, read> slots: array<i32>; // [slots, 4]
@group(0) @binding(6) var<storage, read_write> w: array<f32>; // [tokens, H, K]
@group(0) @binding(7) var<storage, read_write> u: array<f32>; // [tokens, H, V]

// include shared/delta-rule.wgsl
var<workgroup> triangle: array<vec4<f32>, 256>; // [32, 8]: columns of N, times beta
var<workgroup> x: array<f32, 2048>; // [32, 64]

fn given(token: u32, h: u32, column: u32) -> f32 {
  if (column < params.k) { return gates[token * params.heads + h].y * f32(k[atKey(token, h) + column]); }
  return f32(v[atHead(token, h, params.v) + column - params.k]);
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) wgs: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let row = rowIndex(group, wgs);
  if (row >= params.rows) { return; }
  let chunk = row / params.blocks;
  let h = chunk % params.heads;
  let slot = slotAt(chunk / params.heads);
  for (var part = 0u; part < 4u; part++) {
    let cell = part * 64u + lane;
    let token = slot.begin + cell / 8u;
    var n = vec4(0.0);
    if (cell / 8u < slot.size) { n = scores[chunk * 512u + cell] * gates[token * params.heads + h].x; }
    triangle[cell] = n;
  }
  workgroupBarrier();
  let column = row % params.blocks * 64u + lane;
  if (column >= params.columns) { return; }
  for (var i = 0u; i < slot.size; i += 4u) {
    var sum = vec4(0.0);
    for (var r = 0u; r < 4u; r++) {
      if (i + r < slot.size) { sum[r] = given(slot.begin + i + r, h, column); }
    }
    for (var j = 0u; j < i; j++) { sum -= triangle[j * 8u + i / 4u] * x[j * 64u + lane]; }
    for (var r = 0u; r < 4u; r++) {
      let value = sum[r];
      x[(i + r) * 64u + lane] = value;
      sum -= triangle[(i + r) * 8u + i / 4u] * value;
    }
  }
  for (var i = 0u; i < slot.size; i++) {
    let value = x[i * 64u + lane];
    if (column < params.k) { w[atHead(slot.begin + i, h, params.k) + column] = value; }
    else { u[atHead(slot.begin + i, h, params.v) + column - params.k] = value; }
  }
}
