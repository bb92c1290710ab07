// Gradients of the pairs and of the decayed rows, one workgroup a chunk and head, from the state before the chunk and the
// gradient D of the state after it, r (what the corrections read) and x (its gradient). Leaves
// [dak, dab, dqk, dqb] [16][16], [x S^T, dy S^T, V D^T, r D^T] [16][4 quads] and rowsum(S * D) [4 quads].
alias F = f32; // define: f32 | f16

struct Params { count: u32, heads: u32, k: u32, v: u32, quads: u32, record: u32, side: u32, }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>; // [tokens, H, V]
@group(0) @binding(2) var<storage, read> dy: array<F>; // [tokens, H, V]
@group(0) @binding(3) var<storage, read> values: array<F>; // [tokens, H, V]
@group(0) @binding(4) var<storage, read> reads: array<f32>; // [tokens, H, V]
@group(0) @binding(5) var<storage, read> states: array<f32>; // [slots, H, K, V]
@group(0) @binding(6) var<storage, read> adjoints: array<f32>; // [slots, H, K, V]
@group(0) @binding(7) var<storage, read> slots: array<i32>; // [count, 4], see shared/slots
@group(0) @binding(8) var<storage, read_write> work: array<f32>; // [slots, H, record]

// include shared/slots.wgsl
const SIDE = 16u;
const KEYS = 64u;
const LINE = 65u; // an odd line keeps the columns in different banks
var<workgroup> tile_s: array<f32, SIDE * LINE>; // [16 of V][64 of K]
var<workgroup> tile_d: array<f32, SIDE * LINE>;
var<workgroup> rows: array<vec4<f32>, 256>; // [16 of V][16 tokens]: x, dy, V, r

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(num_workgroups) wgs: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let item = wg.x + wg.y * wgs.x;
  if (item >= params.count) { return; }
  let slot = slotAt(item / params.heads);
  if (slot.size == 0u) { return; }
  let t = lane / SIDE;
  let l = lane % SIDE;
  let token = ((slot.begin + t) * params.heads + item % params.heads) * params.v;
  let width = 4u * params.quads;
  let base = item * params.record;
  let key = lane % KEYS;
  let row = (lane / KEYS) * 4u; // four tokens an invocation
  for (var k0 = 0u; k0 < params.k; k0 += KEYS) {
    var from_x = vec4(0.0);
    var from_dy = vec4(0.0);
    var from_v = vec4(0.0);
    var from_r = vec4(0.0);
    var whole = 0.0;
    var pairs = vec4(0.0);
    for (var v0 = 0u; v0 < params.v; v0 += SIDE) {
      workgroupBarrier();
      let at = token + v0 + l;
      var four = vec4(0.0);
      if (t < slot.size && v0 + l < params.v) { four = vec4(x[at], f32(dy[at]), f32(values[at]), reads[at]); }
      rows[l * SIDE + t] = four;
      for (var i = lane; i < SIDE * KEYS; i += 256u) {
        let n = k0 + i / SIDE;
        let v = v0 + i % SIDE;
        var s = 0.0;
        var d = 0.0;
        if (n < params.k && v < params.v) {
          let from_state = (item * params.k + n) * params.v + v;
          s = states[from_state];
          d = adjoints[from_state];
        }
        tile_s[(i % SIDE) * LINE + i / SIDE] = s;
        tile_d[(i % SIDE) * LINE + i / SIDE] = d;
      }
      workgroupBarrier();
      for (var n = 0u; n < params.side; n++) {
        let s = tile_s[n * LINE + key];
        let d = tile_d[n * LINE + key];
        let x0 = rows[n * SIDE + row];
        let x1 = rows[n * SIDE + row + 1u];
        let x2 = rows[n * SIDE + row + 2u];
        let x3 = rows[n * SIDE + row + 3u];
        from_x += s * vec4(x0.x, x1.x, x2.x, x3.x);
        from_dy += s * vec4(x0.y, x1.y, x2.y, x3.y);
        from_v += d * vec4(x0.z, x1.z, x2.z, x3.z);
        from_r += d * vec4(x0.w, x1.w, x2.w, x3.w);
        whole += s * d;
        pairs += rows[n * SIDE + t].xxyy * rows[n * SIDE + l].zwzw;
      }
    }
    if (k0 == 0u) {
      for (var m = 0u; m < 4u; m++) { work[base + m * 256u + lane] = pairs[m]; }
    }
    if (k0 + key < width) {
      let part = SIDE * width;
      for (var n = 0u; n < 4u; n++) {
        let at = base + 1024u + (row + n) * width + k0 + key;
        work[at] = from_x[n];
        work[at + part] = from_dy[n];
        work[at + 2u * part] = from_v[n];
        work[at + 3u * part] = from_r[n];
      }
      if (row == 0u) { work[base + 1024u + 4u * part + k0 + key] = whole; }
    }
  }
}
