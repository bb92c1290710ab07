// loss = logsumexp(logits) - logits[target], in nats; one workgroup a row. lse is kept for the backward pass.
alias F = f32; // define: f32 | f16

struct Params { rows: u32, n: u32, }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> logits: array<F>; // [rows, V]
@group(0) @binding(2) var<storage, read> targets: array<i32>; // [rows]
@group(0) @binding(3) var<storage, read_write> loss: array<F>; // [rows]
@group(0) @binding(4) var<storage, read_write> lse: array<vec2<f32>>; // [rows]: maximum, log of the sum of exp(x - maximum)

// include shared/rows.wgsl
@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let row = rowIndex(group, groups);
  if (row >= params.rows) { return; }
  let base = row * params.n;
  var highest = LOWEST;
  for (var j = lane; j < params.n; j += LANES) { highest = larger(highest, f32(logits[base + j])); }
  highest = treeMax(highest, lane);
  var total = 0.0;
  for (var j = lane; j < params.n; j += LANES) { total += exp(f32(logits[base + j]) - highest); }
  total = treeSum(total, lane);
  if (lane == 0u) {
    let logarithm = log(total);
    lse[row] = vec2(highest, logarithm);
    loss[row] = F(highest - f32(logits[base + u32(clamp(targets[row], 0, i32(params.n) - 1))]) + logarithm);
  }
}
