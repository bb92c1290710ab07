// Second phase, one invocation an element of a state: what enters each chunk takes the place of what the chunk made.
// Forwards from the initial state to the final one; reverse = 1 from the gradient of the final state to that of the
// initial one. seeded: there is an edge to start from, else zeros.

struct Params { count: u32, heads: u32, size: u32, reverse: u32, seeded: u32, }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> ranges: array<i32>; // [S, 2]: first slot, slots
@group(0) @binding(2) var<storage, read> totals: array<f32>; // [slots, H]
@group(0) @binding(3) var<storage, read> edge: array<f32>; // [S, H, K, V]
@group(0) @binding(4) var<storage, read_write> chunks: array<f32>; // [slots, H, K, V]
@group(0) @binding(5) var<storage, read_write> last: array<f32>; // [S, H, K, V]

// include shared/linear.wgsl
@compute @workgroup_size(256)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
  let i = linearIndex(id, groups);
  if (i >= params.count) { return; }
  let e = i % params.size;
  let h = (i / params.size) % params.heads;
  let s = i / params.size / params.heads;
  let first = u32(ranges[s * 2u]);
  let count = u32(ranges[s * 2u + 1u]);
  var state = 0.0;
  if (params.seeded == 1u) { state = edge[i]; }
  // Four chunks are read ahead: their loads do not wait for one another.
  for (var c0 = 0u; c0 < count; c0 += 4u) {
    var made = vec4(0.0);
    var decays = vec4(0.0);
    for (var k = 0u; k < 4u; k++) {
      let c = min(c0 + k, count - 1u);
      let at = (first + select(c, count - 1u - c, params.reverse == 1u)) * params.heads + h;
      made[k] = chunks[at * params.size + e];
      decays[k] = exp(totals[at]);
    }
    for (var k = 0u; k < min(4u, count - c0); k++) {
      let c = c0 + k;
      let at = (first + select(c, count - 1u - c, params.reverse == 1u)) * params.heads + h;
      chunks[at * params.size + e] = state;
      state = decays[k] * state + made[k];
    }
  }
  last[i] = state;
}
