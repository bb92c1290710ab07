// Gradients of q, k, a, b and the decays, one workgroup a chunk and head, from what `products` left. The gradient of a
// decay is a sum of terms that all pass through it (through the state, or between tokens on its two sides), so strong
// decays lose no digits to cancellation.
alias F = f32; // define: f32 | f16

struct Params { count: u32, heads: u32, k: u32, quads: u32, record: u32, reach: u32, plane: u32, scale: f32, side: u32, }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> q: array<F>; // [tokens, H, K]
@group(0) @binding(2) var<storage, read> k: array<F>; // [tokens, H, K]
@group(0) @binding(3) var<storage, read> a: array<F>; // [tokens, H, K]
@group(0) @binding(4) var<storage, read> b: array<F>; // [tokens, H, K]
@group(0) @binding(5) var<storage, read> decay: array<f32>; // [tokens, H, K]
@group(0) @binding(6) var<storage, read> work: array<f32>; // [slots, H, record]
@group(0) @binding(7) var<storage, read> slots: array<i32>; // [count, 4], see shared/slots
@group(0) @binding(8) var<storage, read_write> grads: array<f32>; // [5, tokens, H, K]: planes of q, k, a, b, decay

// include shared/slots.wgsl
// include shared/dplr.wgsl
var<workgroup> sq: array<f32, 256>;
var<workgroup> sk: array<f32, 256>;
var<workgroup> sa: array<f32, 256>;
var<workgroup> sb: array<f32, 256>;
var<workgroup> inner: array<f32, 256>; // q dq of later rows, k dk + b db of earlier ones
var<workgroup> outer: array<f32, 256>; // a da of later rows
var<workgroup> pairs: array<f32, 1024>; // dak, dab, dqk, dqb

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(num_workgroups) wgs: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let item = wg.x + wg.y * wgs.x;
  if (item >= params.count) { return; }
  let slot = slotAt(item / params.heads);
  if (slot.size == 0u) { return; }
  let r = lane / SIDE;
  let l = lane % SIDE;
  let first = ((slot.begin + r) * params.heads + item % params.heads) * params.k;
  let base = item * params.record;
  let width = 4u * params.quads;
  let part = SIDE * width;
  for (var m = 0u; m < 4u; m++) { pairs[m * 256u + lane] = work[base + m * 256u + lane]; }
  for (var k0 = 0u; k0 < params.k; k0 += SIDE) {
    let n = k0 + l;
    let live = r < slot.size && n < params.k;
    var x = vec4(0.0); // q, k, a, b
    var made = vec4(0.0);
    var whole = 0.0;
    workgroupBarrier();
    g[lane] = 0.0;
    if (live) {
      x = vec4(params.scale * f32(q[first + n]), f32(k[first + n]), f32(a[first + n]), f32(b[first + n]));
      g[lane] = decay[first + n];
      let at = base + 1024u + r * width + n;
      made = vec4(work[at + part], work[at + 2u * part], work[at], work[at + 3u * part]);
      whole = work[base + 1024u + 4u * part + n];
    }
    workgroupBarrier();
    // Through the decayed rows.
    let before = segment(0u, r, l);
    let tail = segment(r + 1u, SIDE, l);
    made *= vec4(exp(before + g[lane]), exp(tail), exp(before), exp(tail));
    inner[lane] = x.x * made.x;
    outer[lane] = x.z * made.z;
    sk[lane] = x.y * made.y + x.w * made.w;
    workgroupBarrier();
    var dg = whole * exp(before + g[lane] + tail) + inner[lane];
    for (var i = r + 1u; i < params.side; i++) { dg += inner[i * SIDE + l] + outer[i * SIDE + l]; }
    for (var j = 0u; j < r; j++) { dg += sk[j * SIDE + l]; }
    // Between tokens, reach by reach.
    var reach = params.reach;
    loop {
      workgroupBarrier();
      let f = factors(r, l, reach);
      sq[lane] = x.x * f.x;
      sk[lane] = x.y * f.x;
      sa[lane] = x.z * f.y;
      sb[lane] = x.w * f.x;
      workgroupBarrier();
      let border = r & ~(max(reach, 1u) - 1u);
      let later = reach == 0u || (r & reach) != 0u;
      let earlier = reach == 0u || (r & reach) == 0u;
      var d = vec4(0.0); // q, k, a, b before their factors
      if (later) {
        let from_row = select(border - reach, r, reach == 0u);
        for (var j = from_row; j < from_row + max(reach, 1u); j++) {
          let at = r * SIDE + j;
          d.x += pairs[512u + at] * sk[j * SIDE + l] + pairs[768u + at] * sb[j * SIDE + l];
          d.z += pairs[at] * sk[j * SIDE + l] + pairs[256u + at] * sb[j * SIDE + l];
        }
      }
      if (earlier) {
        let from_row = select(border + reach, r, reach == 0u);
        for (var i = from_row; i < from_row + max(reach, 1u); i++) {
          let at = i * SIDE + r;
          d.y += pairs[512u + at] * sq[i * SIDE + l] + pairs[at] * sa[i * SIDE + l];
          d.w += pairs[768u + at] * sq[i * SIDE + l] + pairs[256u + at] * sa[i * SIDE + l];
        }
      }
      d *= vec4(f.x, f.x, f.y, f.x);
      made += d;
      if (reach == 0u) { break; }
      inner[lane] = select(x.y * d.y + x.w * d.w, x.x * d.x, later);
      outer[lane] = x.z * d.z;
      workgroupBarrier();
      if (later) {
        dg += inner[lane];
        for (var i = r + 1u; i < border + reach; i++) { dg += inner[i * SIDE + l] + outer[i * SIDE + l]; }
      } else {
        for (var j = border; j < r; j++) { dg += inner[j * SIDE + l]; }
      }
      reach = reach >> 1u;
    }
    if (live) {
      grads[first + n] = params.scale * made.x;
      grads[params.plane + first + n] = made.y;
      grads[2u * params.plane + first + n] = made.z;
      grads[3u * params.plane + first + n] = made.w;
      grads[4u * params.plane + first + n] = dg;
    }
  }
}
