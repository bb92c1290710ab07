// wkv4-carry backwards, one invocation a sequence and channel: the gradient of (a, b) that enters each chunk at its end takes
// the place of what the chunk asks of its start; what leaves the first chunk is that of the initial state.
override SEEDED: u32 = 0u;

struct Params { count: u32, d: u32, }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> ranges: array<i32>; // [S, 2]
@group(0) @binding(2) var<storage, read> dfinal: array<f32>; // [S, 3, D]
@group(0) @binding(3) var<storage, read_write> chunks: array<vec4<f32>>; // [slots, D]
@group(0) @binding(4) var<storage, read_write> adjoint: array<vec2<f32>>; // [S, D]

// include shared/linear.wgsl
@compute @workgroup_size(256)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
  let i = linearIndex(id, groups);
  if (i >= params.count) { return; }
  let d = i % params.d;
  let s = i / params.d;
  var g = vec2(0.0);
  if (SEEDED == 1u) { g = vec2(dfinal[s * 3u * params.d + d], dfinal[(s * 3u + 1u) * params.d + d]); }
  let first = u32(ranges[2u * s]);
  for (var c = u32(ranges[2u * s + 1u]); c > 0u; c--) {
    let at = (first + c - 1u) * params.d + d;
    let own = chunks[at];
    chunks[at] = vec4(g, 0.0, 0.0);
    g = own.z * g + own.xy;
  }
  adjoint[i] = g;
}
