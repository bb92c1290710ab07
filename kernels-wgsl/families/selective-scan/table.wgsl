// Packs what every scan kernel reads beside the activations into one binding: rates, B and C in quads of f32, skip weight
// and step bias of a channel, token ranges of packed slots. B and C are padded with zeros, which neither move a state nor
// read it, rates with the last one: then a padding state overflows only where a real one does.
// Regions as in shared/selective-scan; slot c of sequence s is (begin of s) / chunk + s + c, so slots never meet.
alias F = f32; // define: f32 | f16
override SKIP: u32 = 0u;
override BIAS: u32 = 0u;
const TILE = 16u;

struct Params {
  count: u32, quads: u32, states: u32, time: u32, chunk: u32, sequences: u32, at_channel: u32, at_slots: u32, at_b: u32, at_c: u32,
}
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> rates: array<f32>; // [D, states]
@group(0) @binding(2) var<storage, read> skip: array<f32>; // [D]
@group(0) @binding(3) var<storage, read> bias: array<f32>; // [D]
@group(0) @binding(4) var<storage, read> cu: array<i32>; // [S + 1] when packed
@group(0) @binding(5) var<storage, read> b: array<F>; // [tokens, G, states] or [D, states]
@group(0) @binding(6) var<storage, read> c: array<F>; // [tokens, G, states] or [D, states]
@group(0) @binding(7) var<storage, read_write> table: array<vec4<f32>>; // [count]

// include shared/linear.wgsl
fn boundary(s: u32) -> u32 {
  return min(u32(max(cu[s], 0)), params.time);
}

fn slotRow(i: u32) -> vec4<f32> {
  var s = 0u;
  var high = params.sequences - 1u;
  while (s < high) {
    let middle = (s + high + 1u) / 2u;
    if (boundary(middle) / params.chunk + middle <= i) { s = middle; } else { high = middle - 1u; }
  }
  let begin = boundary(s);
  let end = max(begin, boundary(s + 1u));
  let first = min(begin + (i - begin / params.chunk - s) * params.chunk, end);
  return vec4<f32>(vec4<u32>(first, min(params.chunk, end - first), begin / TILE + s + (first - begin) / TILE, 0u));
}

@compute @workgroup_size(256)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
  let i = linearIndex(id, groups);
  if (i >= params.count) { return; }
  var v = vec4(0.0);
  if (i >= params.at_channel && i < params.at_slots) {
    if (SKIP == 1u) { v.x = skip[i - params.at_channel]; }
    if (BIAS == 1u) { v.y = bias[i - params.at_channel]; }
  } else if (i >= params.at_slots && i < params.at_b) {
    v = slotRow(i - params.at_slots);
  } else {
    let base = select(0u, select(params.at_b, params.at_c, i >= params.at_c), i >= params.at_b);
    let quad = i - base;
    let n0 = (quad % params.quads) * 4u;
    let at = (quad / params.quads) * params.states + n0;
    let own = min(4u, params.states - min(params.states, n0));
    if (i < params.at_channel && params.states > 0u) {
      for (var n = 0u; n < 4u; n++) { v[n] = rates[at - n0 + min(n0 + n, params.states - 1u)]; }
    } else {
      for (var n = 0u; n < own; n++) { if (i < params.at_c) { v[n] = f32(b[at + n]); } else { v[n] = f32(c[at + n]); } }
    }
  }
  table[i] = v;
}
