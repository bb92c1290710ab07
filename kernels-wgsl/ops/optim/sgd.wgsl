// velocity' = momentum velocity + scale gradient + decay p; p' = p - rate velocity'.
override SCALE: u32 = 0u;

struct Params { count: u32, rate: f32, momentum: f32, decay: f32, }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> parameters: array<f32>; // [P] = [count]
@group(0) @binding(2) var<storage, read> gradients: array<f32>; // [P]
@group(0) @binding(3) var<storage, read> velocity: array<f32>; // [P]
@group(0) @binding(4) var<storage, read> scale: array<f32>; // [1]
@group(0) @binding(5) var<storage, read_write> next: array<f32>; // [P]
@group(0) @binding(6) var<storage, read_write> next_velocity: array<f32>; // [P]

// include shared/linear.wgsl
@compute @workgroup_size(256)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
  let i = linearIndex(id, groups);
  if (i >= params.count) { return; }
  var g = gradients[i];
  if (SCALE == 1u) { g *= scale[0]; }
  let p = parameters[i];
  let u = params.momentum * velocity[i] + g + params.decay * p;
  next_velocity[i] = u;
  next[i] = p - params.rate * u;
}
