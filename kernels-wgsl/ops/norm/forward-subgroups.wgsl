enable subgroups;
// CENTER = 0: y = x / sqrt(mean(x^2) + eps) weight. CENTER = 1: y = (x - mean) / sqrt(variance + eps) weight + bias.
// One workgroup a row; WEIGHT, BIAS say which inputs are there.
alias F = f32; // define: f32 | f16
override CENTER: u32 = 0u;
override WEIGHT: u32 = 0u;
override BIAS: u32 = 0u;

struct Params { rows: u32, n: u32, eps: f32, }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<F>; // [rows, D]
@group(0) @binding(2) var<storage, read> weight: array<F>; // [D]
@group(0) @binding(3) var<storage, read> bias: array<F>; // [D]
@group(0) @binding(4) var<storage, read_write> y: array<F>; // [rows, D]
@group(0) @binding(5) var<storage, read_write> moments: array<vec2<f32>>; // [rows]: mean, 1 / deviation

// include shared/rows-subgroups.wgsl
@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32, @builtin(subgroup_invocation_id) id: u32) {
  own = Own(id, spanOf(id));
  let row = rowIndex(group, groups);
  if (row >= params.rows) { return; }
  let base = row * params.n;
  var mean = 0.0;
  if (CENTER == 1u) {
    for (var j = lane; j < params.n; j += LANES) { mean += f32(x[base + j]); }
    mean = treeSum(mean, lane) / f32(params.n);
  }
  var square = 0.0;
  for (var j = lane; j < params.n; j += LANES) {
    let v = f32(x[base + j]) - mean;
    square += v * v;
  }
  square = treeSum(square, lane) / f32(params.n);
  let scale = 1.0 / sqrt(square + params.eps);
  if (lane == 0u) { moments[row] = vec2(mean, scale); }
  for (var j = lane; j < params.n; j += LANES) {
    var v = (f32(x[base + j]) - mean) * scale;
    if (WEIGHT == 1u) { v *= f32(weight[j]); }
    if (BIAS == 1u) { v += f32(bias[j]); }
    y[base + j] = F(v);
  }
}
