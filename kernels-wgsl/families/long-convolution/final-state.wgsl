// The last `before` of past and present inputs: what the next call needs.
alias F = f32; // define: f32 | f16
override PAST: u32 = 0u;

struct Params { count: u32, d: u32, time: u32, before: u32, }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> u: array<F>; // [B, T, D]
@group(0) @binding(2) var<storage, read> past: array<f32>; // [B, before, D]
@group(0) @binding(3) var<storage, read_write> state: array<f32>; // [B, before, D]

// include shared/linear.wgsl
@compute @workgroup_size(256)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
  let i = linearIndex(id, groups);
  if (i >= params.count) { return; }
  let c = i % params.d;
  let row = i / params.d / params.before;
  let at = (i / params.d) % params.before + params.time;
  var v = 0.0;
  if (at >= params.before) {
    v = f32(u[(row * params.time + at - params.before) * params.d + c]);
  } else if (PAST == 1u) {
    v = past[(row * params.before + at) * params.d + c];
  }
  state[i] = v;
}
