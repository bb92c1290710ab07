// The last W-1 values a causal convolution saw: finalState[b, d, i] = e[b, T + i, d], e = state then x.
override STATE: u32 = 0u;

struct Params { count: u32, time: u32, d: u32, width: u32, }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>; // [B, T, D]
@group(0) @binding(2) var<storage, read> state: array<f32>; // [B, D, W-1]
@group(0) @binding(3) var<storage, read_write> final_state: array<f32>; // [B, D, W-1] = [count]

// include shared/linear.wgsl
// include shared/conv.wgsl
@compute @workgroup_size(256)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
  let i = linearIndex(id, groups);
  if (i >= params.count) { return; }
  let w1 = params.width - 1u;
  let d = (i / w1) % params.d;
  let b = i / w1 / params.d;
  final_state[i] = extended(b, params.time + i % w1, d);
}
