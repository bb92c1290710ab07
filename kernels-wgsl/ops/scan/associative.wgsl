// h_t = a_t h_{t-1} + b_t, one invocation a channel; h_{-1} = initial or 0.
override INITIAL: u32 = 0u;

struct Params { count: u32, time: u32, d: u32, }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> a: array<f32>; // [B, T, D]
@group(0) @binding(2) var<storage, read> b: array<f32>; // [B, T, D]
@group(0) @binding(3) var<storage, read> initial: array<f32>; // [B, D] = [count]
@group(0) @binding(4) var<storage, read_write> y: array<f32>; // [B, T, D]
@group(0) @binding(5) var<storage, read_write> final_state: array<f32>; // [B, D]

// include shared/linear.wgsl
@compute @workgroup_size(256)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
  let i = linearIndex(id, groups);
  if (i >= params.count) { return; }
  var at = (i / params.d) * params.time * params.d + i % params.d;
  var h = 0.0;
  if (INITIAL == 1u) { h = initial[i]; }
  for (var t = 0u; t < params.time; t++) {
    h = a[at] * h + b[at];
    y[at] = h;
    at += params.d;
  }
  final_state[i] = h;
}
