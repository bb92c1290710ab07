// Partial sums over chunks of rows: dweight[c, j] = sum_rows dy h, with h the normalised row.
alias F = f32; // define: f32 | f16

struct Params { rows: u32, n: u32, chunks: u32, chunk: u32, }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<F>; // [rows, D]
@group(0) @binding(2) var<storage, read> dy: array<F>; // [rows, D]
@group(0) @binding(3) var<storage, read> moments: array<vec2<f32>>; // [rows]
@group(0) @binding(4) var<storage, read_write> partial: array<f32>; // [chunks, D]

// include shared/linear.wgsl
@compute @workgroup_size(256)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
  let i = linearIndex(id, groups);
  if (i >= params.chunks * params.n) { return; }
  let j = i % params.n;
  let first = (i / params.n) * params.chunk;
  let last = min(first + params.chunk, params.rows);
  var total = 0.0;
  for (var row = first; row < last; row++) {
    let at = row * params.n + j;
    total += f32(dy[at]) * (f32(x[at]) - moments[row].x) * moments[row].y;
  }
  partial[i] = total;
}
