// What the outputs of a chunk ask of the state (a, b) that enters it, and the factor with which (a, b) pass through it: for
// wkv4-back. One invocation a chunk and channel, in the order of time.
alias F = f32; // define: f32 | f16
override DY: u32 = 1u;

struct Params { count: u32, d: u32, chunk: u32, }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> k: array<F>; // [tokens, D]
@group(0) @binding(2) var<storage, read> v: array<F>; // [tokens, D]
@group(0) @binding(3) var<storage, read> dy: array<F>; // [tokens, D]
@group(0) @binding(4) var<storage, read> rates: array<f32>; // [2, D]: w, u
@group(0) @binding(5) var<storage, read> slots: array<i32>; // [slots, 4]
@group(0) @binding(6) var<storage, read> kept: array<u32>; // [rows, 4, D]
@group(0) @binding(7) var<storage, read_write> chunks: array<vec4<f32>>; // [slots, D]

// include shared/linear.wgsl
// include shared/slots.wgsl
// include shared/wkv4.wgsl
@compute @workgroup_size(256)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
  let i = linearIndex(id, groups);
  if (i >= params.count) { return; }
  let d = i % params.d;
  let slot = slotAt(i / params.d);
  var g = vec2(0.0);
  var factor = 1.0;
  if (slot.size > 0u) {
    let w = rates[d];
    let u = rates[params.d + d];
    let row = keptRow(slot.begin, slot.sequence, slot.number, params.chunk) * 4u * params.d + d;
    let words = vec4(kept[row], kept[row + params.d], kept[row + 2u * params.d], kept[row + 3u * params.d]);
    var h = unpacked(words, slot.begin, slot.begin - slot.number * params.chunk);
    for (var t = slot.begin; t < slot.begin + slot.size; t++) {
      let key = f32(k[t * params.d + d]);
      let value = f32(v[t * params.d + d]);
      if (DY == 1u) {
        let e = reading(h, w, u, key);
        let below = e.x * h.b + e.y;
        let mean = (e.x * h.a + e.y * value) / below;
        g += factor * e.x * (f32(dy[t * params.d + d]) / below) * vec2(1.0, -mean);
      }
      factor *= sides(distance(h, w, key)).x;
      h = advance(h, w, key, value, t);
    }
  }
  chunks[i] = vec4(g, factor, 0.0);
}
