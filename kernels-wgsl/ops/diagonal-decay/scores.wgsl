// Scores of all pairs of tokens of a chunk, and what its tokens exchange with the state, one workgroup a chunk and head.
// P_ij = scale sum_c q_ic k_jc e^(decays between j and i)_c for j <= i; with a bonus u the decay of token i itself is left
// out and P_ii = scale sum_c q_ic u_c k_ic. A pair belongs to the smallest aligned block of 2, 4, ... 64 tokens that
// holds both: its decay is a product up to the block's middle times one from there, so that no sum of log-decays is ever
// subtracted and no exponent is positive.
override EXCLUSIVE: u32 = 0u;
override VARIES: u32 = 1u;
alias F = f32; // define: f32 | f16

struct Params { rows: u32, heads: u32, k: u32, levels: u32, plane: u32, scale: f32, }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> slots: array<i32>; // [slots, 4]
@group(0) @binding(2) var<storage, read> q: array<F>; // [tokens, H, K]
@group(0) @binding(3) var<storage, read> k: array<F>; // [tokens, H, K]
@group(0) @binding(4) var<storage, read> decay: array<f32>; // [tokens, H, K] or [H, K]
@group(0) @binding(5) var<storage, read> bonus: array<f32>; // [H, K]
@group(0) @binding(6) var<storage, read_write> scores: array<f32>; // [slots, H, 64, 64], 0 above the diagonal
@group(0) @binding(7) var<storage, read_write> lanes: array<f32>; // [2, plane]: [tokens, H, K] of q with the decays before it, k with those after it
@group(0) @binding(8) var<storage, read_write> totals: array<f32>; // [slots, H, K]: decays of whole chunks

// include shared/slots.wgsl
// include shared/decay.wgsl
var<workgroup> factors: array<vec4<f32>, 768>; // [level, token, 2]: of a block's upper half q, of its lower half k
var<workgroup> products: array<vec4<f32>, 192>; // of the halves, for even and for odd levels
var<workgroup> own: array<f32, 128>; // [16 parts, 8 lanes] of sums of log-decays, then [token, 2] of direct scores

fn tokenQ(at: u32, count: u32) -> vec4<f32> {
  var x = vec4(0.0);
  for (var i = 0u; i < count; i++) { x[i] = f32(q[at + i]) * params.scale; }
  return x;
}

fn tokenK(at: u32, count: u32) -> vec4<f32> {
  var x = vec4(0.0);
  for (var i = 0u; i < count; i++) { x[i] = f32(k[at + i]); }
  return x;
}

fn tokenDecay(at: u32, count: u32) -> vec4<f32> {
  var x = vec4(1.0);
  for (var i = 0u; i < count; i++) { x[i] = decayOf(decay[at + i]); }
  return x;
}

fn logDecay(token: u32, h: u32, lane: u32) -> f32 {
  return decay[select(h, token * params.heads + h, VARIES == 1u) * params.k + lane];
}

fn tokenBonus(at: u32, count: u32) -> vec4<f32> {
  var x = vec4(1.0);
  if (EXCLUSIVE == 1u) { for (var i = 0u; i < count; i++) { x[i] = bonus[at + i]; } }
  return x;
}

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(num_workgroups) wgs: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let row = wg.x + wg.y * wgs.x;
  if (row >= params.rows) { return; }
  let h = row % params.heads;
  let slot = slotAt(row / params.heads);
  // While loading: a token and four of eight lanes of K. While multiplying: 4 x 4 pairs.
  let r = lane / 2u;
  let quad = lane % 2u;
  let ti = lane / 16u;
  let tj = lane % 16u;
  let far = 2u + firstLeadingBit(max(ti ^ tj, 1u));
  let head = ((slot.begin + r) * params.heads + h) * params.k;
  // The other half of the invocations: four tokens and one of eight lanes of K.
  let part = lane % 128u / 8u * 4u;
  let summed = min(4u, max(slot.size, part) - part);
  var sums: array<vec4<f32>, 4>;
  var direct = 0.0;
  for (var c0 = 0u; c0 < params.k; c0 += 8u) {
    let c = c0 + quad * 4u;
    var count = 0u;
    if (lane < 128u && r < slot.size && c < params.k) { count = min(4u, params.k - c); }
    let qv = tokenQ(head + c, count);
    let kv = tokenK(head + c, count);
    let a = tokenDecay(select(h * params.k, head, VARIES == 1u) + c, count);
    direct += dot(qv, kv * tokenBonus(h * params.k + c, count));
    let inclusive = select(a, vec4(1.0), EXCLUSIVE == 1u);
    if (lane >= 128u) {
      var sum = 0.0;
      if (c0 + lane % 8u < params.k) {
        for (var i = 0u; i < summed; i++) { sum += logDecay(slot.begin + part + i, h, c0 + lane % 8u); }
      }
      own[lane - 128u] = sum;
    }
    var before = vec4(1.0);
    var after = vec4(1.0);
    // The bound is no constant on purpose: unrolling loops around barriers costs software drivers seconds.
    for (var level = 0u; level < params.levels; level++) {
      let upper = ((r >> level) & 1u) == 1u;
      let at = (level & 1u) * 128u;
      if (lane < 128u) {
        factors[(level * 64u + r) * 2u + quad] = select(kv * after, qv * before * inclusive, upper);
        if (((r + 1u) & ((1u << level) - 1u)) == 0u) { products[at + (r >> level) * 2u + quad] = before * a; }
      }
      workgroupBarrier();
      if (lane < 128u) {
        let other = products[at + ((r >> level) ^ 1u) * 2u + quad];
        before *= select(vec4(1.0), other, upper);
        after *= select(other, vec4(1.0), upper);
      }
    }
    for (var i = 0u; i < count; i++) {
      lanes[head + c + i] = qv[i] * before[i] * inclusive[i];
      lanes[params.plane + head + c + i] = kv[i] * after[i];
    }
    // e to a sum: a product would carry the rounding of every token's decay from chunk to chunk.
    if (lane >= 128u && lane < 136u && c0 + lane - 128u < params.k) {
      var sum = 0.0;
      for (var i = lane - 128u; i < 128u; i += 8u) { sum += own[i]; }
      totals[row * params.k + c0 + lane - 128u] = exp(sum);
    }
    for (var half = 0u; half < 2u; half++) {
      if (ti > tj) {
        let at = far * 128u + half;
        let k0 = factors[at + tj * 8u];
        let k1 = factors[at + tj * 8u + 2u];
        let k2 = factors[at + tj * 8u + 4u];
        let k3 = factors[at + tj * 8u + 6u];
        for (var x = 0u; x < 4u; x++) {
          let f = factors[at + (ti * 4u + x) * 2u];
          sums[x] += vec4(dot(f, k0), dot(f, k1), dot(f, k2), dot(f, k3));
        }
      } else if (ti == tj) {
        for (var x = 1u; x < 4u; x++) {
          for (var y = 0u; y < x; y++) {
            let at = firstLeadingBit(x ^ y) * 128u + half;
            sums[x][y] += dot(factors[at + (ti * 4u + x) * 2u], factors[at + (ti * 4u + y) * 2u]);
          }
        }
      }
    }
    workgroupBarrier();
  }
  for (var x = 0u; x < 4u; x++) {
    for (var y = 0u; y < 4u; y++) {
      if (ti != tj || x != y) { scores[row * 4096u + (ti * 4u + x) * 64u + tj * 4u + y] = sums[x][y]; }
    }
  }
  if (lane < 128u) { own[lane] = direct; }
  workgroupBarrier();
  if (lane < 64u) { scores[row * 4096u + lane * 65u] = own[lane * 2u] + own[lane * 2u + 1u]; }
}
