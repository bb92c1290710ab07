// Rates, skip weight and step bias of each channel side by side, so that scans need one binding for the three.
override SKIP: u32 = 0u;
override BIAS: u32 = 0u;

struct Params { count: u32, states: u32, }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> rates: array<f32>; // [D, N]
@group(0) @binding(2) var<storage, read> skip: array<f32>; // [D]
@group(0) @binding(3) var<storage, read> bias: array<f32>; // [D]
@group(0) @binding(4) var<storage, read_write> channel: array<f32>; // [D, N + 2] = [count]

// include shared/linear.wgsl
@compute @workgroup_size(256)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
  let i = linearIndex(id, groups);
  if (i >= params.count) { return; }
  let n = i % (params.states + 2u);
  let d = i / (params.states + 2u);
  var v = 0.0;
  if (n < params.states) {
    v = rates[d * params.states + n];
  } else if (n == params.states) {
    if (SKIP == 1u) { v = skip[d]; }
  } else if (BIAS == 1u) {
    v = bias[d];
  }
  channel[i] = v;
}
