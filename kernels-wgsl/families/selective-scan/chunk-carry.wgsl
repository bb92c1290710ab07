// Second phase of the chunked scan, one invocation a state: what enters each chunk takes the place of what the chunk
// made from zero. Forwards from the initial state to the final one; REVERSE from the gradient of the final state to that
// of the initial one. WHOLE: the slot is the whole sequence and only takes the edge.
override REVERSE: u32 = 0u;
override SEEDED: u32 = 0u;
override WHOLE: u32 = 0u;

struct Params {
  count: u32, d: u32, states: u32, quads: u32, time: u32, chunk: u32, per: u32, packed: u32,
}
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> table: array<vec4<f32>>; // [*], see shared/selective-scan
@group(0) @binding(2) var<storage, read> steps: array<f32>; // [slots, D]
@group(0) @binding(3) var<storage, read> cu: array<i32>; // [S + 1] when packed
@group(0) @binding(4) var<storage, read> edge: array<f32>; // [S, D, states]
@group(0) @binding(5) var<storage, read_write> chunks: array<f32>; // [slots, D, 4 quads]
@group(0) @binding(6) var<storage, read_write> last: array<f32>; // [S, D, states]

// include shared/linear.wgsl
// include shared/scan-sequence.wgsl
@compute @workgroup_size(256)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
  let i = linearIndex(id, groups);
  if (i >= params.count) { return; }
  let width = params.quads * 4u;
  let n = i % width;
  let d = (i / width) % params.d;
  let s = i / width / params.d;
  let rate = table[d * params.quads + n / 4u][n % 4u];
  let at_edge = (s * params.d + d) * params.states + n;
  var state = 0.0;
  if (SEEDED == 1u && n < params.states) { state = edge[at_edge]; }
  var first = s * params.per;
  var count = params.per;
  if (params.packed == 1u) {
    let range = sequence(s);
    first = range.x / params.chunk + s;
    count = (max(range.x, range.y) - range.x + params.chunk - 1u) / params.chunk;
  }
  if (WHOLE == 1u) {
    chunks[(first * params.d + d) * width + n] = state;
    return;
  }
  // Four chunks are read ahead: their loads do not wait for one another.
  for (var k0 = 0u; k0 < count; k0 += 4u) {
    var made = vec4(0.0);
    var decays = vec4(0.0);
    for (var k = 0u; k < 4u; k++) {
      let c = min(k0 + k, count - 1u);
      let at = (first + select(c, count - 1u - c, REVERSE == 1u)) * params.d + d;
      made[k] = chunks[at * width + n];
      decays[k] = exp(rate * steps[at]);
    }
    for (var k = 0u; k < min(4u, count - k0); k++) {
      let c = k0 + k;
      let at = (first + select(c, count - 1u - c, REVERSE == 1u)) * params.d + d;
      chunks[at * width + n] = state;
      // Growing decays overflow over a long chunk; a zero state stays zero.
      state = select(decays[k], 0.0, state == 0.0) * state + made[k];
    }
  }
  if (n < params.states) { last[at_edge] = state; }
}
