// AdamW, second half: p' = p - rate (m' / c1 / (sqrt(v' / c2) + eps) + decay mask p), c = 1 - beta^step.
override MASK: u32 = 0u;

struct Params { count: u32, rate: f32, eps: f32, decay: f32, c1: f32, c2: f32, }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> parameters: array<f32>; // [P] = [count]
@group(0) @binding(2) var<storage, read> m: array<f32>; // [P], updated
@group(0) @binding(3) var<storage, read> v: array<f32>; // [P], updated
@group(0) @binding(4) var<storage, read> mask: array<f32>; // [P]
@group(0) @binding(5) var<storage, read_write> next: array<f32>; // [P]

// include shared/linear.wgsl
@compute @workgroup_size(256)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
  let i = linearIndex(id, groups);
  if (i >= params.count) { return; }
  var decay = params.decay;
  if (MASK == 1u) { decay *= mask[i]; }
  let p = parameters[i];
  next[i] = p - params.rate * (m[i] / params.c1 / (sqrt(v[i] / params.c2) + params.eps) + decay * p);
}
