// (I + N^T diag(beta)) X = du for each chunk and head, by backward substitution, one invocation a column. Then
// dbeta = rowsum(X E), dv = beta X, and -beta X, the adjoint of what the keys read, takes the place of du.
alias F = f32; // define: f32 | f16

struct Params { rows: u32, heads: u32, groups: u32, k: u32, v: u32, }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> gates: array<vec4<f32>>; // [tokens, H]
@group(0) @binding(2) var<storage, read> scores: array<f32>; // [slots, H, 2, 32, 32]
@group(0) @binding(3) var<storage, read> errors: array<f32>; // [tokens, H, V]
@group(0) @binding(4) var<storage, read> slots: array<i32>; // [slots, 4]
@group(0) @binding(5) var<storage, read_write> du: array<f32>; // [tokens, H, V]
@group(0) @binding(6) var<storage, read_write> dv: array<F>; // [tokens, H, V]
@group(0) @binding(7) var<storage, read_write> dbeta: array<F>; // [tokens, H]

// include shared/delta-rule.wgsl
var<workgroup> triangle: array<vec4<f32>, 256>; // [32, 8]: rows of N, times beta
var<workgroup> x: array<f32, 2080>; // [32, 65]

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) wgs: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let chunk = rowIndex(group, wgs);
  if (chunk >= params.rows) { return; }
  let h = chunk % params.heads;
  let slot = slotAt(chunk / params.heads);
  for (var part = 0u; part < 4u; part++) {
    let cell = part * 64u + lane;
    let i = cell / 8u;
    var n = vec4(0.0);
    if (i < slot.size) {
      let at = chunk * 2048u + cell % 8u * 128u + i;
      n = vec4(scores[at], scores[at + 32u], scores[at + 64u], scores[at + 96u]);
      n *= gates[(slot.begin + i) * params.heads + h].x;
    }
    triangle[cell] = n;
  }
  workgroupBarrier();
  var total = 0.0;
  for (var column0 = 0u; column0 < params.v; column0 += 64u) {
    let column = min(column0 + lane, params.v - 1u);
    let there = column0 + lane < params.v;
    let quads = (slot.size + 3u) / 4u;
    for (var step = 0u; step < quads; step++) {
      let j = (quads - 1u - step) * 4u;
      var sum = vec4(0.0);
      for (var r = 0u; r < 4u; r++) {
        if (j + r < slot.size && there) { sum[r] = du[atHead(slot.begin + j + r, h, params.v) + column]; }
      }
      for (var i = j + 4u; i < slot.size; i++) { sum -= triangle[i * 8u + j / 4u] * x[i * 65u + lane]; }
      for (var back = 0u; back < 4u; back++) {
        let r = 3u - back;
        let value = sum[r];
        x[(j + r) * 65u + lane] = value;
        sum -= triangle[(j + r) * 8u + j / 4u] * value;
      }
    }
    for (var i = 0u; i < slot.size; i++) {
      let at = atHead(slot.begin + i, h, params.v) + column;
      let value = x[i * 65u + lane];
      let written = value * gates[(slot.begin + i) * params.heads + h].x;
      x[i * 65u + lane] = select(0.0, value * errors[at], there);
      if (there) {
        du[at] = -written;
        dv[at] = F(written);
      }
    }
    workgroupBarrier();
    if (lane < slot.size) {
      for (var c = 0u; c < 64u; c++) { total += x[lane * 65u + c]; }
    }
    workgroupBarrier();
  }
  if (lane < slot.size) { dbeta[(slot.begin + lane) * params.heads + h] = F(total); }
}
