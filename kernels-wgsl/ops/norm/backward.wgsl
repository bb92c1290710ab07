// With h the normalised row and g = dy weight: dx = scale (g - CENTER mean(g) - h mean(g h)). One workgroup a row.
alias F = f32; // define: f32 | f16
override CENTER: u32 = 0u;
override WEIGHT: u32 = 0u;

struct Params { rows: u32, n: u32, }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<F>; // [rows, D]
@group(0) @binding(2) var<storage, read> weight: array<F>; // [D]
@group(0) @binding(3) var<storage, read> dy: array<F>; // [rows, D]
@group(0) @binding(4) var<storage, read> moments: array<vec2<f32>>; // [rows]
@group(0) @binding(5) var<storage, read_write> dx: array<F>; // [rows, D]

// include shared/rows.wgsl
fn gradient(at: u32, j: u32) -> f32 {
  let g = f32(dy[at + j]);
  if (WEIGHT == 1u) { return g * f32(weight[j]); }
  return g;
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let row = rowIndex(group, groups);
  if (row >= params.rows) { return; }
  let base = row * params.n;
  let m = moments[row];
  var along = 0.0;
  var sum = 0.0;
  for (var j = lane; j < params.n; j += LANES) {
    let g = gradient(base, j);
    along += g * (f32(x[base + j]) - m.x) * m.y;
    sum += g;
  }
  along = treeSum(along, lane) / f32(params.n);
  var mean = 0.0;
  if (CENTER == 1u) { mean = treeSum(sum, lane) / f32(params.n); }
  for (var j = lane; j < params.n; j += LANES) {
    let h = (f32(x[base + j]) - m.x) * m.y;
    dx[base + j] = F(m.y * (gradient(base, j) - mean - h * along));
  }
}
