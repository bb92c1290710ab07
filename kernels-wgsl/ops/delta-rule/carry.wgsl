// Third phase, one workgroup a sequence, head and tile of values, chunk after chunk. Forwards: S enters a chunk and is
// kept, E = U - W S takes the place of U, S <- e^{b_C} S + (K e^{b_C-b})^T beta E. REVERSE, from the last chunk: dS
// enters and takes the place of the chunk's own part Q, dU += K e^{b_C-b} dS, dS <- e^{b_C} dS + Q - W^T beta dU.
alias F = f32; // define: f32 | f16
const QUADS = 4u; // define: 4u | 2u
override REVERSE: u32 = 0u;
override SEEDED: u32 = 0u;

struct Params {
  rows: u32, heads: u32, groups: u32, k: u32, v: u32, tiles: u32, time: u32, per: u32, packed: u32,
}
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> k: array<F>; // [tokens, G, K]
@group(0) @binding(2) var<storage, read> w: array<f32>; // [tokens, H, K]
@group(0) @binding(3) var<storage, read> gates: array<vec4<f32>>; // [tokens, H]
@group(0) @binding(4) var<storage, read> cu: array<i32>; // [S + 1] when packed
@group(0) @binding(5) var<storage, read> edge: array<f32>; // [S, H, K, V]
@group(0) @binding(6) var<storage, read_write> values: array<f32>; // [tokens, H, V]
@group(0) @binding(7) var<storage, read_write> states: array<f32>; // [slots, H, K, V]
@group(0) @binding(8) var<storage, read_write> last: array<f32>; // [S, H, K, V]

// include shared/rows.wgsl
// include shared/scan-sequence.wgsl
const CHUNK = 32u;
const GROUPS = 64u / QUADS;
const PER = CHUNK / GROUPS;
var<workgroup> state: array<vec4<f32>, 512>; // [K, QUADS]
var<workgroup> written: array<vec4<f32>, 128>; // [32, QUADS]
var<workgroup> tile: array<f32, 1056>; // [32 tokens, 33]

// Element e of token t of the factor that meets the state first, or second.
fn factor(first: bool, token: u32, h: u32, e: u32) -> f32 {
  if (first == (REVERSE == 0u)) { return w[(token * params.heads + h) * params.k + e]; }
  return f32(k[(token * params.groups + h * params.groups / params.heads) * params.k + e]);
}

fn fill(first: bool, begin: u32, size: u32, h: u32, e0: u32, lane: u32) {
  for (var t = lane / 32u; t < CHUNK; t += 2u) {
    let e = lane % 32u;
    var x = 0.0;
    if (t < size && e0 + e < params.k) { x = factor(first, begin + t, h, e0 + e); }
    tile[t * 33u + e] = x;
  }
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) wgs: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let row = rowIndex(group, wgs);
  if (row >= params.rows) { return; }
  let h = row / params.tiles % params.heads;
  let s = row / params.tiles / params.heads;
  let quad = lane % QUADS;
  let own = lane / QUADS;
  let column = row % params.tiles * QUADS * 4u + quad * 4u;
  let there = min(4u, max(params.v, column) - column);
  let at_edge = (s * params.heads + h) * params.k * params.v + column;
  for (var r = own; r < params.k; r += GROUPS) {
    var x = vec4(0.0);
    if (SEEDED == 1u) {
      for (var c = 0u; c < there; c++) { x[c] = edge[at_edge + r * params.v + c]; }
    }
    state[r * QUADS + quad] = x;
  }
  var begin = s * params.time;
  var end = begin + params.time;
  var first = s * params.per;
  if (params.packed == 1u) {
    let range = sequence(s);
    begin = range.x;
    end = max(range.x, range.y);
    first = begin / CHUNK + s;
  }
  let count = (end - begin + CHUNK - 1u) / CHUNK;
  workgroupBarrier();
  for (var step = 0u; step < count; step++) {
    let chunk = select(step, count - 1u - step, REVERSE == 1u);
    let token = begin + chunk * CHUNK;
    let size = min(CHUNK, end - token);
    let whole = gates[(token + size - 1u) * params.heads + h].y;
    // A plain declaration would keep the last chunk's sums on some drivers.
    var sums = array<vec4<f32>, PER>();
    for (var e0 = 0u; e0 < params.k; e0 += 32u) {
      fill(true, token, size, h, e0, lane);
      workgroupBarrier();
      for (var e = 0u; e < min(32u, params.k - e0); e++) {
        let x = state[(e0 + e) * QUADS + quad];
        for (var p = 0u; p < PER; p++) { sums[p] += tile[(own + p * GROUPS) * 33u + e] * x; }
      }
      workgroupBarrier();
    }
    for (var p = 0u; p < PER; p++) {
      let i = own + p * GROUPS;
      var to = vec4(0.0);
      if (i < size) {
        let gate = gates[(token + i) * params.heads + h];
        let at = ((token + i) * params.heads + h) * params.v + column;
        for (var c = 0u; c < there; c++) {
          let x = values[at + c] + sums[p][c] * select(-1.0, gate.z, REVERSE == 1u);
          values[at + c] = x;
          to[c] = x * gate.x * select(gate.z, -1.0, REVERSE == 1u);
        }
      }
      written[i * QUADS + quad] = to;
    }
    workgroupBarrier();
    let at_state = ((first + chunk) * params.heads + h) * params.k * params.v + column;
    for (var r0 = 0u; r0 < params.k; r0 += 32u) {
      fill(false, token, size, h, r0, lane);
      workgroupBarrier();
      for (var r = own; r < min(32u, params.k - r0); r += GROUPS) {
        let old = state[(r0 + r) * QUADS + quad];
        var next = whole * old;
        for (var i = 0u; i < size; i++) { next += tile[i * 33u + r] * written[i * QUADS + quad]; }
        for (var c = 0u; c < there; c++) {
          let at = at_state + (r0 + r) * params.v + c;
          if (REVERSE == 1u) { next[c] += states[at]; }
          states[at] = old[c];
        }
        state[(r0 + r) * QUADS + quad] = next;
      }
      workgroupBarrier();
    }
  }
  for (var r = own; r < params.k; r += GROUPS) {
    for (var c = 0u; c < there; c++) { last[at_edge + r * params.v + c] = state[r * QUADS + quad][c]; }
  }
}
