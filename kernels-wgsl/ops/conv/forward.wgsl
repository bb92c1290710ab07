// Causal depthwise convolution: y[b, t, d] = bias[d] + sum_k weight[d, k] e[b, t + k, d], e = state then x.
override STATE: u32 = 0u;
override BIAS: u32 = 0u;

struct Params { count: u32, time: u32, d: u32, width: u32, }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>; // [B, T, D] = [count]
@group(0) @binding(2) var<storage, read> weight: array<f32>; // [D, W]
@group(0) @binding(3) var<storage, read> bias: array<f32>; // [D]
@group(0) @binding(4) var<storage, read> state: array<f32>; // [B, D, W-1]
@group(0) @binding(5) var<storage, read_write> y: array<f32>; // [B, T, D]

// include shared/linear.wgsl
// include shared/conv.wgsl
@compute @workgroup_size(256)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
  let i = linearIndex(id, groups);
  if (i >= params.count) { return; }
  let d = i % params.d;
  let t = (i / params.d) % params.time;
  let b = i / params.d / params.time;
  var total = 0.0;
  for (var k = 0u; k < params.width; k++) { total += weight[d * params.width + k] * extended(b, t + k, d); }
  if (BIAS == 1u) { total += bias[d]; }
  y[i] = total;
}
