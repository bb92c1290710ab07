enable subgroups;
// y = softmax(x) over the last axis, or its logarithm (LOG = 1); one workgroup a row.
alias F = f32; // define: f32 | f16
override LOG: u32 = 0u;

struct Params { rows: u32, n: u32, }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<F>; // [rows, n]
@group(0) @binding(2) var<storage, read_write> y: array<F>; // [rows, n]

// include shared/rows-subgroups.wgsl
@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32, @builtin(subgroup_invocation_id) id: u32) {
  own = Own(id, spanOf(id));
  let row = rowIndex(group, groups);
  if (row >= params.rows) { return; }
  let base = row * params.n;
  var highest = LOWEST;
  for (var j = lane; j < params.n; j += LANES) { highest = larger(highest, f32(x[base + j])); }
  highest = treeMax(highest, lane);
  var total = 0.0;
  for (var j = lane; j < params.n; j += LANES) { total += exp(f32(x[base + j]) - highest); }
  total = treeSum(total, lane);
  let logarithm = log(total);
  for (var j = lane; j < params.n; j += LANES) {
    let v = f32(x[base + j]) - highest;
    if (LOG == 1u) { y[base + j] = F(v - logarithm); } else { y[base + j] = F(exp(v) / total); }
  }
}
