// First phase of the chunked WKV: every chunk from nothing, one invocation a chunk and channel.
alias F = f32; // define: f32 | f16

struct Params { count: u32, d: u32, }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> k: array<F>; // [tokens, D]
@group(0) @binding(2) var<storage, read> v: array<F>; // [tokens, D]
@group(0) @binding(3) var<storage, read> rates: array<f32>; // [2, D]: w, u
@group(0) @binding(4) var<storage, read> slots: array<i32>; // [slots, 4]
@group(0) @binding(5) var<storage, read_write> chunks: array<vec4<u32>>; // [slots, D]

// include shared/linear.wgsl
// include shared/slots.wgsl
// include shared/wkv4.wgsl
@compute @workgroup_size(256)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
  let i = linearIndex(id, groups);
  if (i >= params.count) { return; }
  let d = i % params.d;
  let slot = slotAt(i / params.d);
  let w = rates[d];
  var h = State(0.0, 0.0, EMPTY, 0.0, 0u);
  for (var t = slot.begin; t < slot.begin + slot.size; t++) {
    h = advance(h, w, f32(k[t * params.d + d]), f32(v[t * params.d + d]), t);
  }
  chunks[i] = packed(h);
}
