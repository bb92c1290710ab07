// The recurrence over one slot of time, one invocation a slot and channel: y, and a state kept every TILE tokens. WHOLE: the
// slot is a whole sequence, starts from the initial state and leaves the final one; else from what enters the chunk.
alias F = f32; // define: f32 | f16
override WHOLE: u32 = 0u;
override START: u32 = 1u;
override KEPT: u32 = 0u;

struct Params { count: u32, d: u32, chunk: u32, at_winners: u32, }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> k: array<F>; // [tokens, D]
@group(0) @binding(2) var<storage, read> v: array<F>; // [tokens, D]
@group(0) @binding(3) var<storage, read> rates: array<f32>; // [2, D]: w, u
@group(0) @binding(4) var<storage, read> slots: array<i32>; // [slots, 4]
@group(0) @binding(5) var<storage, read> start: array<u32>; // [S, 3, D] of f32 if WHOLE, else [slots, D, 4]
@group(0) @binding(6) var<storage, read_write> y: array<F>; // [tokens, D]
@group(0) @binding(7) var<storage, read_write> last: array<f32>; // [S, 3, D], WHOLE only
@group(0) @binding(8) var<storage, read_write> kept: array<u32>; // [rows, 4, D], then the winners of wkv4-carry

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
  let u = rates[params.d + d];
  let at_state = slot.sequence * 3u * params.d + d;
  var h = State(0.0, 0.0, EMPTY, 0.0, 0u);
  if (START == 1u) {
    let at = select(i * 4u, at_state, WHOLE == 1u);
    let stride = select(1u, params.d, WHOLE == 1u);
    let from_token = select(start[i * 4u + 3u], 0u, WHOLE == 1u);
    let words = vec4(start[at], start[at + stride], start[at + 2u * stride], from_token);
    h = unpacked(words, slot.begin, slot.begin - slot.number * params.chunk);
  }
  var row = 0u;
  if (KEPT == 1u) { row = keptRow(slot.begin, slot.sequence, slot.number, params.chunk) * 4u * params.d + d; }
  for (var j = 0u; j < slot.size; j++) {
    if (KEPT == 1u && j % TILE == 0u) {
      let words = packed(h);
      for (var part = 0u; part < 4u; part++) { kept[row + part * params.d] = words[part]; }
      row += 4u * params.d;
    }
    let t = slot.begin + j;
    let key = f32(k[t * params.d + d]);
    let value = f32(v[t * params.d + d]);
    let e = reading(h, w, u, key);
    y[t * params.d + d] = F((e.x * h.a + e.y * value) / (e.x * h.b + e.y));
    h = advance(h, w, key, value, t);
  }
  if (WHOLE == 1u && slot.number == 0u) {
    last[at_state] = h.a;
    last[at_state + params.d] = h.b;
    last[at_state + 2u * params.d] = h.c + h.n * w;
    if (KEPT == 1u) {
      let at = params.at_winners + slot.sequence * 2u * params.d + d;
      kept[at] = h.from_token;
      kept[at + params.d] = u32(h.n);
    }
  }
}
