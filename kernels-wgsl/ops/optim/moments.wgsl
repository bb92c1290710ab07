// AdamW, first half: m' = beta1 m + (1 - beta1) g, v' = beta2 v + (1 - beta2) g^2 with g = scale gradient.
override SCALE: u32 = 0u;

struct Params { count: u32, beta1: f32, beta2: f32, rest1: f32, rest2: f32, }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> gradients: array<f32>; // [P] = [count]
@group(0) @binding(2) var<storage, read> m: array<f32>; // [P]
@group(0) @binding(3) var<storage, read> v: array<f32>; // [P]
@group(0) @binding(4) var<storage, read> scale: array<f32>; // [1]
@group(0) @binding(5) var<storage, read_write> next_m: array<f32>; // [P]
@group(0) @binding(6) var<storage, read_write> next_v: array<f32>; // [P]

// include shared/linear.wgsl
@compute @workgroup_size(256)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
  let i = linearIndex(id, groups);
  if (i >= params.count) { return; }
  var g = gradients[i];
  if (SCALE == 1u) { g *= scale[0]; }
  next_m[i] = params.beta1 * m[i] + params.rest1 * g;
  next_v[i] = params.beta2 * v[i] + params.rest2 * g * g;
}
