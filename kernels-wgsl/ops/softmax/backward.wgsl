// softmax: dx = y (dy - sum(dy y)); log-softmax (LOG = 1): dx = dy - exp(y) sum(dy). One workgroup a row.
alias F = f32; // define: f32 | f16
override LOG: u32 = 0u;

struct Params { rows: u32, n: u32, }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> y: array<F>; // [rows, n]
@group(0) @binding(2) var<storage, read> dy: array<F>; // [rows, n]
@group(0) @binding(3) var<storage, read_write> dx: array<F>; // [rows, n]

// include shared/rows.wgsl
@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let row = rowIndex(group, groups);
  if (row >= params.rows) { return; }
  let base = row * params.n;
  var total = 0.0;
  for (var j = lane; j < params.n; j += LANES) {
    let g = f32(dy[base + j]);
    if (LOG == 1u) { total += g; } else { total += g * f32(y[base + j]); }
  }
  total = treeSum(total, lane);
  for (var j = lane; j < params.n; j += LANES) {
    let v = f32(y[base + j]);
    let g = f32(dy[base + j]);
    if (LOG == 1u) { dx[base + j] = F(g - exp(v) * total); } else { dx[base + j] = F(v * (g - total)); }
  }
}
