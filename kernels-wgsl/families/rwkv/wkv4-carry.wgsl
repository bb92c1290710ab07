// Second phase, one invocation a sequence and channel: the state that enters each chunk takes the place of what the chunk
// made from nothing.
override SEEDED: u32 = 0u;
override KEPT: u32 = 0u;

struct Params { count: u32, d: u32, at_winners: u32, }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> rates: array<f32>; // [2, D]: w, u
@group(0) @binding(2) var<storage, read> slots: array<i32>; // [slots, 4]
@group(0) @binding(3) var<storage, read> ranges: array<i32>; // [S, 2]
@group(0) @binding(4) var<storage, read> initial: array<f32>; // [S, 3, D]
@group(0) @binding(5) var<storage, read_write> chunks: array<vec4<u32>>; // [slots, D]
@group(0) @binding(6) var<storage, read_write> last: array<f32>; // [S, 3, D]
@group(0) @binding(7) var<storage, read_write> kept: array<u32>; // [*], from at_winners [S, 2, D]: token of the exponent, tokens since

// include shared/linear.wgsl
// include shared/slots.wgsl
// include shared/wkv4.wgsl
@compute @workgroup_size(256)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
  let i = linearIndex(id, groups);
  if (i >= params.count) { return; }
  let d = i % params.d;
  let s = i / params.d;
  let at_edge = s * 3u * params.d + d;
  let w = rates[d];
  var h = State(0.0, 0.0, EMPTY, 0.0, 0u);
  if (SEEDED == 1u) {
    h = State(initial[at_edge], initial[at_edge + params.d], initial[at_edge + 2u * params.d], 0.0, 0u);
  }
  let first = u32(ranges[2u * s]);
  let count = u32(ranges[2u * s + 1u]);
  for (var c = 0u; c < count; c++) {
    let slot = slotAt(first + c);
    let at = (first + c) * params.d + d;
    let own = unpacked(chunks[at], slot.begin + slot.size, 0u);
    chunks[at] = packed(h);
    h.n += f32(slot.size);
    let apart = (h.c - own.c) + (h.n - own.n) * w;
    let f = sides(apart);
    let a = f.x * h.a + f.y * own.a;
    let b = f.x * h.b + f.y * own.b;
    if (apart < 0.0) { h = own; }
    h.a = a;
    h.b = b;
  }
  last[at_edge] = h.a;
  last[at_edge + params.d] = h.b;
  last[at_edge + 2u * params.d] = h.c + h.n * w;
  if (KEPT == 1u) {
    let at = params.at_winners + s * 2u * params.d + d;
    kept[at] = h.from_token;
    kept[at + params.d] = u32(h.n);
  }
}
