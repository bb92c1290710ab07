// Gradients of one chunk and channel, from the kept states and the gradient of (a, b) that enters at its end. States of TILE
// tokens are made again from the kept one; then time runs backwards. Sums of a chunk for w and u go to their own rows.
alias F = f32; // define: f32 | f16
override DY: u32 = 1u;

struct Params { count: u32, d: u32, chunk: u32, at_sums: u32, plane: u32, }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> k: array<F>; // [tokens, D]
@group(0) @binding(2) var<storage, read> v: array<F>; // [tokens, D]
@group(0) @binding(3) var<storage, read> dy: array<F>; // [tokens, D]
@group(0) @binding(4) var<storage, read> rates: array<f32>; // [2, D]: w, u
@group(0) @binding(5) var<storage, read> slots: array<i32>; // [slots, 4]
@group(0) @binding(6) var<storage, read> kept: array<u32>; // [rows, 4, D]
@group(0) @binding(7) var<storage, read_write> work: array<f32>; // [slots, D, 4] gradients; from at_sums [rows, 2, D]: dw, du
@group(0) @binding(8) var<storage, read_write> grads: array<F>; // [2, plane]: dk, dv

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
  var g = vec2(work[i * 4u], work[i * 4u + 1u]);
  var dw = 0.0;
  var du = 0.0;
  for (var tile = (slot.size + TILE - 1u) / TILE; tile > 0u; tile--) {
    let t0 = slot.begin + (tile - 1u) * TILE;
    let size = min(TILE, slot.begin + slot.size - t0);
    let row = (keptRow(slot.begin, slot.sequence, slot.number, params.chunk) + tile - 1u) * 4u * params.d + d;
    let words = vec4(kept[row], kept[row + params.d], kept[row + 2u * params.d], kept[row + 3u * params.d]);
    var before: array<State, TILE>;
    before[0] = unpacked(words, t0, slot.begin - slot.number * params.chunk);
    for (var j = 1u; j < size; j++) {
      let at = (t0 + j - 1u) * params.d + d;
      before[j] = advance(before[j - 1u], w, f32(k[at]), f32(v[at]), t0 + j - 1u);
    }
    for (var j = size; j > 0u; j--) {
      let at = (t0 + j - 1u) * params.d + d;
      let h = before[j - 1u];
      let key = f32(k[at]);
      let value = f32(v[at]);
      // The update a' = f.x a + f.y v.
      let f = sides(distance(h, w, key));
      var dk = f.y * (g.x * value + g.y);
      var dv = f.y * g.x;
      dw += f.x * (g.x * h.a + g.y * h.b);
      g *= f.x;
      if (DY == 1u) {
        let e = reading(h, w, u, key);
        let below = e.x * h.b + e.y;
        let mean = (e.x * h.a + e.y * value) / below;
        let scaled = f32(dy[at]) / below;
        dk += scaled * e.y * (value - mean);
        du += scaled * e.y * (value - mean);
        dv += scaled * e.y;
        g += scaled * e.x * vec2(1.0, -mean);
      }
      grads[at] = F(dk);
      grads[params.plane + at] = F(dv);
    }
  }
  let at = params.at_sums + (i / params.d) * 2u * params.d + d;
  work[at] = dw;
  work[at + params.d] = du;
}
