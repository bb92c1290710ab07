// Rotates the pairs (x_i, x_{i + K/2}) of each head by angle (t + offset) base^(-2i/K); DIRECTION = -1 undoes it.
// Cosines and sines come as a table made in f64: WGSL's own lose all digits at large angles.
alias F = f32; // define: f32 | f16
override DIRECTION: f32 = 1.0;

struct Params { count: u32, time: u32, heads: u32, pairs: u32, }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<F>; // [B, T, H, K]
@group(0) @binding(2) var<storage, read> angles: array<vec2<f32>>; // [T, K/2]: cosine, sine
@group(0) @binding(3) var<storage, read_write> y: array<F>; // [B, T, H, K]

// include shared/linear.wgsl
@compute @workgroup_size(256)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
  let i = linearIndex(id, groups);
  if (i >= params.count) { return; }
  let pair = i % params.pairs;
  let row = i / params.pairs;
  let t = (row / params.heads) % params.time;
  let turn = angles[t * params.pairs + pair];
  let at = row * params.pairs * 2u + pair;
  let u = f32(x[at]);
  let v = f32(x[at + params.pairs]);
  y[at] = F(u * turn.x - DIRECTION * v * turn.y);
  y[at + params.pairs] = F(v * turn.x + DIRECTION * u * turn.y);
}
