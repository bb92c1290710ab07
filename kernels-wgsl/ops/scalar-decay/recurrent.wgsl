// S_t = e^{g_t} S_{t-1} + k_t v_t^T; y_t = scale S_t^T q_t, token by token. One workgroup takes 16 value columns of a head
// of a sequence; an invocation keeps ROWS entries of one column, keys y, y + 16, ... keep = 1 also writes the state
// before every 64th token, where the slots of chunks have it.
alias F = f32; // define: f32 | f16
const ROWS = 4u; // define: 4 | 16 | 32

struct Params {
  rows: u32, heads: u32, groups: u32, k: u32, v: u32, at_gates: u32, per: u32, packed: u32, keep: u32, seeded: u32, scale: f32,
}
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> q: array<F>; // [B, T, G, K]
@group(0) @binding(2) var<storage, read> k: array<F>; // [B, T, G, K]
@group(0) @binding(3) var<storage, read> v: array<F>; // [B, T, H, V]
@group(0) @binding(4) var<storage, read> table: array<u32>; // [*], see shared/scalar-decay; a slot is a whole sequence
@group(0) @binding(5) var<storage, read> initial: array<f32>; // [S, H, K, V]
@group(0) @binding(6) var<storage, read_write> y: array<F>; // [B, T, H, V]
@group(0) @binding(7) var<storage, read_write> last: array<f32>; // [S, H, K, V]
@group(0) @binding(8) var<storage, read_write> kept: array<f32>; // [slots, H, K, V]

// include shared/scalar-decay.wgsl
// include shared/decay.wgsl
const STEPS = 8u;
var<workgroup> parts: array<f32, 2176>; // [STEPS, 16 columns, 17]

@compute @workgroup_size(16, 16)
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(num_workgroups) wgs: vec3<u32>, @builtin(local_invocation_id) local: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let group = wg.x + wg.y * wgs.x;
  if (group >= params.rows) { return; }
  let tiles = (params.v + 15u) / 16u;
  let v0 = (group % tiles) * 16u;
  let h = (group / tiles) % params.heads;
  let s = group / tiles / params.heads;
  let slot = slotAt(s);
  let g = h * params.groups / params.heads;
  let column = v0 + local.x;
  let inside = column < params.v;
  var state: array<f32, ROWS>;
  let at_state = (s * params.heads + h) * params.k * params.v + column;
  for (var r = 0u; r < ROWS; r++) {
    let key = local.y + 16u * r;
    let at = select(0u, at_state + key * params.v, params.seeded == 1u && inside && key < params.k);
    state[r] = select(0.0, initial[at], params.seeded == 1u && inside && key < params.k);
  }
  let first = select(s * params.per, slot.begin / CHUNK + s, params.packed == 1u);
  for (var t0 = 0u; t0 < slot.size; t0 += STEPS) {
    if (params.keep == 1u && t0 % CHUNK == 0u && inside) {
      let at = ((first + t0 / CHUNK) * params.heads + h) * params.k * params.v + column;
      for (var r = 0u; r < ROWS; r++) {
        let key = local.y + 16u * r;
        if (key < params.k) { kept[at + key * params.v] = state[r]; }
      }
    }
    let steps = min(STEPS, slot.size - t0);
    for (var t = 0u; t < steps; t++) {
      let token = slot.begin + t0 + t;
      let decay = decayOf(gateAt(token, h));
      let at_key = (token * params.groups + g) * params.k;
      let value = f32(v[(token * params.heads + h) * params.v + min(column, params.v - 1u)]);
      var sum = 0.0;
      for (var r = 0u; r < ROWS; r++) {
        // No branch: keys beyond the last stay 0.
        let key = local.y + 16u * r;
        let at = at_key + min(key, params.k - 1u);
        state[r] = decay * state[r] + select(0.0, f32(k[at]), key < params.k) * value;
        sum += f32(q[at]) * state[r];
      }
      parts[(t * 16u + local.x) * 17u + local.y] = sum;
    }
    workgroupBarrier();
    let t = lane / 16u;
    if (t < steps && v0 + lane % 16u < params.v) {
      var sum = 0.0;
      for (var r = 0u; r < 16u; r++) { sum += parts[lane * 17u + r]; }
      y[((slot.begin + t0 + t) * params.heads + h) * params.v + v0 + lane % 16u] = F(sum * params.scale);
    }
    workgroupBarrier();
  }
  for (var r = 0u; r < ROWS; r++) {
    let key = local.y + 16u * r;
    if (inside && key < params.k) { last[at_state + key * params.v] = state[r]; }
  }
}
