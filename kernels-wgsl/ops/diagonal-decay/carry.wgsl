// Carries states over the chunks of every sequence, one invocation an element [K, V] of a head: what enters each chunk
// takes the place of what the chunk made from zero. Forwards from the initial state to the final one; REVERSE from the
// gradient of the final state to that of the initial one.
override REVERSE: u32 = 0u;
override SEEDED: u32 = 0u;

struct Params { count: u32, heads: u32, k: u32, v: u32, }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> ranges: array<i32>; // [S, 2]: first slot, slots
@group(0) @binding(2) var<storage, read> totals: array<f32>; // [slots, H, K]
@group(0) @binding(3) var<storage, read> edge: array<f32>; // [S, H, K, V]
@group(0) @binding(4) var<storage, read_write> chunks: array<f32>; // [slots, H, K, V]
@group(0) @binding(5) var<storage, read_write> last: array<f32>; // [S, H, K, V]

// include shared/linear.wgsl
@compute @workgroup_size(256)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
  let i = linearIndex(id, groups);
  if (i >= params.count) { return; }
  let width = params.heads * params.k * params.v;
  let s = i / width;
  let inside = i % width;
  var state = 0.0;
  if (SEEDED == 1u) { state = edge[i]; }
  let first = u32(ranges[s * 2u]);
  let count = u32(ranges[s * 2u + 1u]);
  // Four chunks are read ahead: their loads do not wait for one another.
  for (var k0 = 0u; k0 < count; k0 += 4u) {
    var made = vec4(0.0);
    var decays = vec4(0.0);
    for (var n = 0u; n < 4u; n++) {
      let c = min(k0 + n, count - 1u);
      let at = first + select(c, count - 1u - c, REVERSE == 1u);
      made[n] = chunks[at * width + inside];
      decays[n] = totals[at * params.heads * params.k + inside / params.v];
    }
    for (var n = 0u; n < min(4u, count - k0); n++) {
      let c = k0 + n;
      let at = first + select(c, count - 1u - c, REVERSE == 1u);
      chunks[at * width + inside] = state;
      state = decays[n] * state + made[n];
    }
  }
  last[i] = state;
}
