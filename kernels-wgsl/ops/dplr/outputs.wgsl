// Third phase, one workgroup a chunk, head and block of 64 columns: y = m0 V + m1 r + r3 S of every token; see prepare.
// Forwards the outputs, backwards the gradient of the values.
alias F = f32; // define: f32 | f16

struct Params { count: u32, heads: u32, k: u32, v: u32, quads: u32, record: u32, blocks: u32, }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> work: array<vec4<f32>>; // [slots, H, record / 4]
@group(0) @binding(2) var<storage, read> values: array<F>; // [tokens, H, V]
@group(0) @binding(3) var<storage, read> reads: array<f32>; // [tokens, H, V]
@group(0) @binding(4) var<storage, read> states: array<f32>; // [slots, H, K, V]
@group(0) @binding(5) var<storage, read> slots: array<i32>; // [count, 4], see shared/slots
@group(0) @binding(6) var<storage, read_write> y: array<F>; // [tokens, H, V]

// include shared/slots.wgsl
const SIDE = 16u;

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(num_workgroups) wgs: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let item = wg.x + wg.y * wgs.x;
  if (item >= params.count) { return; }
  let owned = item / params.blocks; // chunk and head
  let slot = slotAt(owned / params.heads);
  let v = (item % params.blocks) * 64u + lane % 64u;
  if (v >= params.v) { return; }
  let row = (lane / 64u) * 4u; // four tokens an invocation
  let base = owned * params.record / 4u;
  let first = (slot.begin * params.heads + owned % params.heads) * params.v + v;
  let stride = params.heads * params.v;
  var sum = vec4(0.0);
  for (var j = 0u; j < SIDE; j += 4u) {
    var given = vec4(0.0);
    var read = vec4(0.0);
    for (var n = 0u; n < 4u; n++) {
      if (j + n < slot.size) {
        given[n] = f32(values[first + (j + n) * stride]);
        read[n] = reads[first + (j + n) * stride];
      }
    }
    for (var n = 0u; n < 4u; n++) {
      let at = base + (row + n) * 4u + j / 4u;
      sum[n] += dot(work[at], given) + dot(work[at + 64u], read);
    }
  }
  let rows = base + 192u + (3u * SIDE + row) * params.quads;
  for (var i = 0u; i < params.quads; i++) {
    var state = vec4(0.0);
    for (var n = 0u; n < 4u; n++) {
      if (i * 4u + n < params.k) { state[n] = states[(owned * params.k + i * 4u + n) * params.v + v]; }
    }
    for (var n = 0u; n < 4u; n++) { sum[n] += dot(work[rows + n * params.quads + i], state); }
  }
  for (var n = 0u; n < 4u; n++) {
    if (row + n < slot.size) { y[first + (row + n) * stride] = F(sum[n]); }
  }
}
