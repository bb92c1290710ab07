// Second phase of the chunked recurrence, one invocation a channel of a sequence: what enters each slot takes the place
// of what the slot made from zero. Forwards from the initial state to the final one; REVERSE = 1 from the gradient of
// the final state to that of the initial one.
override LOG: u32 = 0u;
override REVERSE: u32 = 0u;
override SEEDED: u32 = 0u;

struct Params { count: u32, d: u32, }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> ranges: array<i32>; // [S, 2]: first slot, slots
@group(0) @binding(2) var<storage, read> edge: array<f32>; // [S, D]
@group(0) @binding(3) var<storage, read> factors: array<f32>; // [slots, D]
@group(0) @binding(4) var<storage, read_write> ends: array<f32>; // [slots, D]
@group(0) @binding(5) var<storage, read_write> last: array<f32>; // [S, D]

// include shared/linear.wgsl
@compute @workgroup_size(256)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
  let i = linearIndex(id, groups);
  if (i >= params.count) { return; }
  let c = i % params.d;
  let s = i / params.d;
  let first = u32(ranges[s * 2u]);
  let count = u32(ranges[s * 2u + 1u]);
  var state = 0.0;
  if (SEEDED == 1u) { state = edge[i]; }
  // Four slots are read ahead: their loads do not wait for one another.
  for (var k0 = 0u; k0 < count; k0 += 4u) {
    var made = vec4(0.0);
    var decays = vec4(0.0);
    for (var k = 0u; k < 4u; k++) {
      let n = min(k0 + k, count - 1u);
      let at = (first + select(n, count - 1u - n, REVERSE == 1u)) * params.d + c;
      made[k] = ends[at];
      decays[k] = factors[at];
    }
    if (LOG == 1u) { decays = exp(decays); }
    for (var k = 0u; k < min(4u, count - k0); k++) {
      let n = k0 + k;
      ends[(first + select(n, count - 1u - n, REVERSE == 1u)) * params.d + c] = state;
      // Growing decays overflow over a long slot; a zero state stays zero.
      state = select(decays[k], 0.0, state == 0.0) * state + made[k];
    }
  }
  last[i] = state;
}
