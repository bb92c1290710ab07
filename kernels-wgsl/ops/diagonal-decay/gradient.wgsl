// Gradients of q, k and the log-decays of a chunk, one workgroup for four lanes of K of a head and an invocation for each
// token. Blocks as in scores.wgsl. The gradient of a log-decay is the sum of what crosses its token: pairs, in the one
// block where they part; reads of the state before the chunk; writes into the adjoint after it; the state itself.
override EXCLUSIVE: u32 = 0u;
override VARIES: u32 = 1u;
alias F = f32; // define: f32 | f16

struct Params { rows: u32, heads: u32, k: u32, quads: u32, levels: u32, plane: u32, at: u32, scale: f32, }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> slots: array<i32>; // [slots, 4]
@group(0) @binding(2) var<storage, read> q: array<F>; // [tokens, H, K]
@group(0) @binding(3) var<storage, read> k: array<F>; // [tokens, H, K]
@group(0) @binding(4) var<storage, read> decay: array<f32>; // [tokens, H, K] or [H, K]
@group(0) @binding(5) var<storage, read> slopes: array<f32>; // [slots, H, 2, 64, 64]: dy_i . v_j, 0 for j > i, and its transpose
// Planes [tokens, H, K] of what q and k get through the states before decays, the first becomes the gradient of decay;
// [slots, H, K, 2] from crossing.wgsl, which become sums over the chunk of the gradients of decay and bonus.
@group(0) @binding(6) var<storage, read_write> exchange: array<f32>; // [*]
@group(0) @binding(7) var<storage, read_write> dq: array<F>; // [tokens, H, K]
@group(0) @binding(8) var<storage, read_write> dk: array<F>; // [tokens, H, K]

// include shared/slots.wgsl
// include shared/decay.wgsl
var<workgroup> factors: array<vec4<f32>, 64>;
var<workgroup> parts: array<vec4<f32>, 64>;
var<workgroup> products: array<vec4<f32>, 96>;

// Sum of parts over [from, to).
fn sumOf(begin: u32, end: u32) -> vec4<f32> {
  var sum = vec4(0.0);
  for (var s = begin; s < end; s++) { sum += parts[s]; }
  return sum;
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(num_workgroups) wgs: vec3<u32>, @builtin(local_invocation_index) r: u32) {
  let row = wg.x + wg.y * wgs.x;
  if (row >= params.rows) { return; }
  let c = (row % params.quads) * 4u;
  let pair = row / params.quads;
  let h = pair % params.heads;
  let slot = slotAt(pair / params.heads);
  let width = min(4u, params.k - c);
  let count = select(0u, width, r < slot.size);
  let head = ((slot.begin + r) * params.heads + h) * params.k + c;
  let at_decay = select(h * params.k + c, head, VARIES == 1u);
  let at_sums = params.at + (pair * params.k + c) * 2u;
  var qv = vec4(0.0);
  var kv = vec4(0.0);
  var a = vec4(1.0);
  var to_q = vec4(0.0);
  var to_k = vec4(0.0);
  var through = vec4(0.0);
  var u = vec4(0.0);
  for (var i = 0u; i < count; i++) {
    qv[i] = f32(q[head + i]) * params.scale;
    kv[i] = f32(k[head + i]);
    a[i] = decayOf(decay[at_decay + i]);
    to_q[i] = exchange[head + i];
    to_k[i] = exchange[params.plane + head + i];
    through[i] = exchange[at_sums + i * 2u];
    u[i] = exchange[at_sums + i * 2u + 1u];
  }
  let inclusive = select(a, vec4(1.0), EXCLUSIVE == 1u);
  // Tokens of [first reading token, end): a read crosses the decay of its own token, with a bonus only those before it.
  let reading = r + EXCLUSIVE;
  let at_slopes = pair * 8192u + r;
  var dq_r = vec4(0.0);
  var dk_r = vec4(0.0);
  var dg = vec4(0.0);
  var before = vec4(1.0);
  var after = vec4(1.0);
  // The bound is no constant on purpose: unrolling loops around barriers costs software drivers seconds.
  for (var level = 0u; level < params.levels; level++) {
    let size = 1u << level;
    let upper = ((r >> level) & 1u) == 1u;
    let own = (r >> level) << level;
    let other = own ^ size;
    let at = (level & 1u) * 64u;
    let factor = select(after, before * inclusive, upper);
    factors[r] = select(kv, qv, upper) * factor;
    if (((r + 1u) & (size - 1u)) == 0u) { products[at + (r >> level)] = before * a; }
    workgroupBarrier();
    var sum = vec4(0.0);
    let from_slopes = at_slopes + select(0u, 4096u, upper);
    for (var s = other; s < other + size; s++) { sum += slopes[from_slopes + s * 64u] * factors[s]; }
    sum *= factor;
    parts[r] = sum * select(kv, qv, upper);
    let product = products[at + ((r >> level) ^ 1u)];
    workgroupBarrier();
    if (upper) {
      dq_r += sum;
      before *= product;
      dg += sumOf(reading, own + size);
    } else {
      dk_r += sum;
      after *= product;
      dg += sumOf(own, r);
    }
  }
  let own_slope = slopes[at_slopes + r * 64u] * select(vec4(1.0), u, EXCLUSIVE == 1u);
  let outer_q = to_q * before * inclusive;
  let outer_k = to_k * after;
  dq_r += own_slope * kv + outer_q;
  dk_r += own_slope * qv + outer_k;
  workgroupBarrier();
  parts[r] = outer_q * qv;
  factors[r] = outer_k * kv;
  if (r == 63u) { products[0] = before * a; }
  workgroupBarrier();
  dg += sumOf(reading, 64u) + products[0] * through;
  for (var s = 0u; s < r; s++) { dg += factors[s]; }
  for (var i = 0u; i < count; i++) {
    dq[head + i] = F(dq_r[i] * params.scale);
    dk[head + i] = F(dk_r[i]);
    exchange[head + i] = dg[i];
  }
  if (VARIES == 0u || EXCLUSIVE == 1u) {
    workgroupBarrier();
    parts[r] = select(vec4(0.0), dg, r < slot.size);
    factors[r] = slopes[at_slopes + r * 64u] * qv * kv;
    workgroupBarrier();
    if (r == 0u) {
      var sum_u = vec4(0.0);
      for (var s = 0u; s < 64u; s++) { sum_u += factors[s]; }
      let sum_g = sumOf(0u, 64u);
      for (var i = 0u; i < width; i++) {
        exchange[at_sums + i * 2u] = sum_g[i];
        exchange[at_sums + i * 2u + 1u] = sum_u[i];
      }
    }
  }
}
