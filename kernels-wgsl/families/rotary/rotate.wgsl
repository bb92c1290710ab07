// Turns the pairs of each head by the cosines and sines of a table made in f64 on the host; TRANSPOSED turns back.
// Pairs are (j, j + half), or with INTERLEAVED = 1 (2j, 2j + 1); features beyond 2 half pass through. The row of the
// table is positions[b, t] with POSITIONS = 1, else t + offset; rows outside are cut to the table.
alias F = f32; // define: f32 | f16
override TRANSPOSED: u32 = 0u;
override INTERLEAVED: u32 = 0u;
override POSITIONS: u32 = 0u;

struct Params { count: u32, time: u32, heads: u32, k: u32, half: u32, rows: u32, offset: u32, }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<F>; // [B, T, H, K]
@group(0) @binding(2) var<storage, read> table: array<f32>; // [2, rows, half]: cosines, sines
@group(0) @binding(3) var<storage, read> positions: array<i32>; // [B, T]
@group(0) @binding(4) var<storage, read_write> y: array<F>; // [B, T, H, K]

// include shared/linear.wgsl
@compute @workgroup_size(256)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
  let i = linearIndex(id, groups);
  if (i >= params.count) { return; }
  let width = params.k - params.half;
  let j = i % width;
  let head = i / width;
  let base = head * params.k;
  if (j >= params.half) {
    y[base + params.half + j] = x[base + params.half + j];
    return;
  }
  let token = head / params.heads;
  var row = token % params.time + params.offset;
  if (POSITIONS == 1u) { row = u32(max(positions[token], 0)); }
  let at = min(row, params.rows - 1u) * params.half + j;
  let c = table[at];
  var s = table[params.rows * params.half + at];
  if (TRANSPOSED == 1u) { s = -s; }
  let first = base + select(j, 2u * j, INTERLEAVED == 1u);
  let second = select(first + params.half, first + 1u, INTERLEAVED == 1u);
  let u = f32(x[first]);
  let v = f32(x[second]);
  y[first] = F(u * c - v * s);
  y[second] = F(v * c + u * s);
}
