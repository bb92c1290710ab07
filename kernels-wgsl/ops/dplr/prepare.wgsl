// First phase of the chunked recurrence, one workgroup a chunk and head: pairs of tokens, the triangular solve, decayed
// rows. With ab, ak, qb, qk as in lib/ops/dplr/chunk.ts, T = (I - ab)^{-1} and A, Q, KE, BE the decayed rows it leaves
// [m0, m1, m2] [16][16], [r0, r1, r2, r3] [16][4 quads], whole [4 quads] =
//   forwards   qk, qb, T ak;          T A, KE, BE, Q;      the decay of the chunk
//   reversed   qk^T, ak^T, (qb T)^T;  T^T BE, Q, A, KE;    the same
// so that carry and outputs run both ways: r = m2 V + r0 S; y = m0 V + m1 r + r3 S; S <- whole S + r1^T V + r2^T r.
alias F = f32; // define: f32 | f16

struct Params { count: u32, heads: u32, k: u32, quads: u32, record: u32, reach: u32, scale: f32, side: u32, reverse: u32, }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> q: array<F>; // [tokens, H, K]
@group(0) @binding(2) var<storage, read> k: array<F>; // [tokens, H, K]
@group(0) @binding(3) var<storage, read> a: array<F>; // [tokens, H, K]
@group(0) @binding(4) var<storage, read> b: array<F>; // [tokens, H, K]
@group(0) @binding(5) var<storage, read> decay: array<f32>; // [tokens, H, K]
@group(0) @binding(6) var<storage, read> slots: array<i32>; // [count, 4], see shared/slots
@group(0) @binding(7) var<storage, read_write> work: array<f32>; // [slots, H, record]

// include shared/slots.wgsl
// include shared/dplr.wgsl
var<workgroup> sq: array<f32, 256>;
var<workgroup> sk: array<f32, 256>;
var<workgroup> sa: array<f32, 256>;
var<workgroup> sb: array<f32, 256>;
var<workgroup> pairs: array<f32, 1024>; // ak, ab, qk, qb
var<workgroup> inverse: array<f32, 256>;

// q, k, a, b of a lane; zeros outside the chunk.
fn rowAt(at: u32, live: bool) -> vec4<f32> {
  if (!live) { return vec4(0.0); }
  return vec4(params.scale * f32(q[at]), f32(k[at]), f32(a[at]), f32(b[at]));
}

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(num_workgroups) wgs: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let item = wg.x + wg.y * wgs.x;
  if (item >= params.count) { return; }
  let slot = slotAt(item / params.heads);
  if (slot.size == 0u) { return; }
  let r = lane / SIDE;
  let l = lane % SIDE;
  let first = ((slot.begin + r) * params.heads + item % params.heads) * params.k;
  var sums = vec4(0.0); // ak, ab, qk, qb of row r and column l
  for (var k0 = 0u; k0 < params.k; k0 += SIDE) {
    let live = r < slot.size && k0 + l < params.k;
    let x = rowAt(first + k0 + l, live);
    workgroupBarrier();
    g[lane] = 0.0;
    if (live) { g[lane] = decay[first + k0 + l]; }
    workgroupBarrier();
    var reach = params.reach;
    loop {
      let f = factors(r, l, reach);
      sq[lane] = x.x * f.x;
      sk[lane] = x.y * f.x;
      sa[lane] = x.z * f.y;
      sb[lane] = x.w * f.x;
      workgroupBarrier();
      let apart = r ^ l;
      if (r >= l && apart >= reach && apart < max(1u, 2u * reach)) {
        for (var n = 0u; n < params.side; n++) {
          let row = vec2(sa[r * SIDE + n], sq[r * SIDE + n]);
          let column = vec2(sk[l * SIDE + n], sb[l * SIDE + n]);
          sums += row.xxyy * column.xyxy;
        }
      }
      workgroupBarrier();
      if (reach == 0u) { break; }
      reach = reach >> 1u;
    }
  }
  for (var m = 0u; m < 4u; m++) { pairs[m * 256u + lane] = sums[m]; }
  workgroupBarrier();
  // T column by column: T_i = e_i + sum over j < i of ab_ij T_j.
  if (lane < SIDE) {
    for (var i = 0u; i < params.side; i++) { inverse[i * SIDE + lane] = select(0.0, 1.0, i == lane); }
    for (var i = lane + 1u; i < slot.size; i++) {
      var sum = 0.0;
      for (var j = lane; j < i; j++) { sum += pairs[256u + i * SIDE + j] * inverse[j * SIDE + lane]; }
      inverse[i * SIDE + lane] = sum;
    }
  }
  workgroupBarrier();
  let base = item * params.record;
  var product = 0.0;
  for (var j = 0u; j < params.side; j++) {
    if (params.reverse == 1u) { product += pairs[768u + l * SIDE + j] * inverse[j * SIDE + r]; }
    else { product += inverse[r * SIDE + j] * pairs[j * SIDE + l]; }
  }
  let turned = l * SIDE + r;
  work[base + lane] = pairs[512u + select(lane, turned, params.reverse == 1u)];
  work[base + 256u + lane] = pairs[select(768u + lane, turned, params.reverse == 1u)];
  work[base + 512u + lane] = product;
  let width = 4u * params.quads;
  for (var k0 = 0u; k0 < params.k; k0 += SIDE) {
    let live = r < slot.size && k0 + l < params.k;
    let x = rowAt(first + k0 + l, live);
    workgroupBarrier();
    g[lane] = 0.0;
    if (live) { g[lane] = decay[first + k0 + l]; }
    workgroupBarrier();
    let before = segment(0u, r, l);
    let head = exp(before + g[lane]);
    let tail = exp(segment(r + 1u, SIDE, l));
    let row_a = x.z * exp(before);
    let row_b = x.w * tail;
    sa[lane] = select(row_a, row_b, params.reverse == 1u);
    workgroupBarrier();
    var solved = 0.0;
    for (var j = 0u; j < params.side; j++) {
      solved += inverse[select(r * SIDE + j, j * SIDE + r, params.reverse == 1u)] * sa[j * SIDE + l];
    }
    if (k0 + l < width) {
      let at = base + 768u + r * width + k0 + l;
      let part = SIDE * width;
      work[at] = solved;
      work[at + part] = select(x.y * tail, x.x * head, params.reverse == 1u);
      work[at + 2u * part] = select(row_b, row_a, params.reverse == 1u);
      work[at + 3u * part] = select(x.x * head, x.y * tail, params.reverse == 1u);
      if (r == SIDE - 1u) { work[base + 768u + 4u * part + k0 + l] = head; }
    }
  }
}
