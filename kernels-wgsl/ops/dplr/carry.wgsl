// Second phase, one workgroup a sequence, head and block of VT columns: the state over the chunks in order, or
// reversed the gradient of the state from the last chunk to the first. Leaves what enters every chunk and
// r = m2 V + r0 S of every token; see prepare.
const VT = 32u; // define: 32u | 8u
alias F = f32; // define: f32 | f16

struct Params { count: u32, heads: u32, k: u32, v: u32, quads: u32, record: u32, blocks: u32, seeded: u32, side: u32, reverse: u32, }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> work: array<vec4<f32>>; // [slots, H, record / 4]
@group(0) @binding(2) var<storage, read> values: array<F>; // [tokens, H, V]
@group(0) @binding(3) var<storage, read> slots: array<i32>; // [count, 4], see shared/slots
@group(0) @binding(4) var<storage, read> ranges: array<i32>; // [S, 2]: first slot, slots
@group(0) @binding(5) var<storage, read> edge: array<f32>; // [S, H, K, V]
@group(0) @binding(6) var<storage, read_write> states: array<f32>; // [slots, H, K, V]
@group(0) @binding(7) var<storage, read_write> reads: array<f32>; // [tokens, H, V]
@group(0) @binding(8) var<storage, read_write> last: array<f32>; // [S, H, K, V]

// include shared/slots.wgsl
const SIDE = 16u;
const LINES = 256u / VT;
var<workgroup> state: array<f32, 2048>; // [K][VT]
var<workgroup> given: array<f32, SIDE * VT>; // V of the chunk
var<workgroup> solved: array<f32, SIDE * VT>; // r of the chunk

fn quadOf(quad: u32, column: u32) -> vec4<f32> {
  let at = quad * 4u * VT + column;
  return vec4(state[at], state[at + VT], state[at + 2u * VT], state[at + 3u * VT]);
}

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(num_workgroups) wgs: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let item = wg.x + wg.y * wgs.x;
  if (item >= params.count) { return; }
  let owner = item / params.blocks; // sequence and head
  let s = owner / params.heads;
  let head = owner % params.heads;
  let column = lane % VT;
  let line = lane / VT;
  let v = (item % params.blocks) * VT + column;
  let live = v < params.v;
  let size = params.k * params.v;
  for (var n = line; n < params.quads * 4u; n += LINES) {
    state[n * VT + column] = 0.0;
    if (params.seeded == 1u && live && n < params.k) { state[n * VT + column] = edge[owner * size + n * params.v + v]; }
  }
  let first = u32(ranges[s * 2u]);
  let count = u32(ranges[s * 2u + 1u]);
  for (var c = 0u; c < count; c++) {
    let number = first + select(c, count - 1u - c, params.reverse == 1u);
    let slot = slotAt(number);
    let owned = number * params.heads + head;
    let base = owned * params.record / 4u;
    for (var n = line; n < params.side; n += LINES) {
      given[n * VT + column] = 0.0;
      if (live && n < slot.size) {
        given[n * VT + column] = f32(values[((slot.begin + n) * params.heads + head) * params.v + v]);
      }
    }
    workgroupBarrier();
    if (live) {
      for (var n = line; n < params.k; n += LINES) { states[owned * size + n * params.v + v] = state[n * VT + column]; }
    }
    for (var n = line; n < params.side; n += LINES) {
      var sum = 0.0;
      for (var j = 0u; j < 4u; j++) {
        let at = j * 4u * VT + column;
        sum += dot(work[base + 128u + n * 4u + j], vec4(given[at], given[at + VT], given[at + 2u * VT], given[at + 3u * VT]));
      }
      for (var i = 0u; i < params.quads; i++) { sum += dot(work[base + 192u + n * params.quads + i], quadOf(i, column)); }
      solved[n * VT + column] = sum;
      if (live && n < slot.size) { reads[((slot.begin + n) * params.heads + head) * params.v + v] = sum; }
    }
    workgroupBarrier();
    let part = SIDE * params.quads;
    for (var i = line; i < params.quads; i += LINES) {
      var next = work[base + 192u + 4u * part + i] * quadOf(i, column);
      for (var n = 0u; n < slot.size; n++) {
        let at = base + 192u + part + n * params.quads + i;
        next += work[at] * given[n * VT + column] + work[at + part] * solved[n * VT + column];
      }
      for (var n = 0u; n < 4u; n++) { state[(i * 4u + n) * VT + column] = next[n]; }
    }
    workgroupBarrier();
  }
  if (!live) { return; }
  for (var n = line; n < params.k; n += LINES) { last[owner * size + n * params.v + v] = state[n * VT + column]; }
}
