// The backward scan, G_t = gy_t C_t + exp(d_{t+1} A) G_{t+1}, for N states from n0 on. One workgroup takes up to 64
// channels of one group of one sequence: states are made again chunk by chunk from checkpoints, dB and dC are summed
// over the channels in workgroup memory in a fixed order. Gradients of A and of fixed B and C go to `sums`.
alias F = f32; // define: f32 | f16
const N = 16u; // define: 4 | 16

struct Params {
  rows: u32, d: u32, states: u32, n0: u32, time: u32, tokens: u32, groups: u32, blocks: u32,
  b_varies: u32, c_varies: u32, packed: u32, slots: u32,
}
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> items: array<Item>; // [tokens, D]
@group(0) @binding(2) var<storage, read> channel: array<f32>; // [D, states + 2]
@group(0) @binding(3) var<storage, read> b: array<F>; // [tokens, G, states] or [D, states]
@group(0) @binding(4) var<storage, read> c: array<F>; // [tokens, G, states] or [D, states]
@group(0) @binding(5) var<storage, read> cu: array<i32>; // [S + 1] when packed
@group(0) @binding(6) var<storage, read_write> checkpoints: array<f32>; // [slots + S, D, states]
@group(0) @binding(7) var<storage, read_write> partial: array<vec2<f32>>; // [blocks, tokens, G, states]: dB, dC
@group(0) @binding(8) var<storage, read_write> sums: array<f32>; // [S, D, 3 states + 1]: dA, dB, dC, dD

// include shared/scan-item.wgsl
// include shared/scan-sequence.wgsl
const PARTS = 64u / N;
var<workgroup> shared_pairs: array<vec2<f32>, 64u * N>; // [channel, state]: dB, dC
var<workgroup> totals: array<vec2<f32>, 64>; // [64/N, N]

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(num_workgroups) wgs: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let row = wg.x + wg.y * wgs.x;
  if (row >= params.rows) { return; }
  let block = row % params.blocks;
  let group = (row / params.blocks) % params.groups;
  let s = row / params.blocks / params.groups;
  let width = params.d / params.groups;
  let local = block * 64u + lane;
  let active_lane = local < width;
  let d = group * width + min(local, width - 1u);
  let range = sequence(s);
  let own = min(N, params.states - params.n0);
  let plane = params.d * params.states;
  let at_seed = params.slots * plane + (s * params.d + d) * params.states + params.n0;
  var rate: array<f32, N>;
  var carry: array<f32, N>;
  var da: array<f32, N>;
  var db: array<f32, N>;
  var dc: array<f32, N>;
  var h: array<f32, N>;
  var before: array<f32, CHUNK * N>;
  var dskip = 0.0;
  for (var n = 0u; n < own; n++) {
    rate[n] = channel[d * (params.states + 2u) + params.n0 + n];
    carry[n] = checkpoints[at_seed + n];
  }
  let first = slotOf(s, range.x);
  let fixed = d * params.states + params.n0;
  for (var chunk = (range.y - range.x + CHUNK - 1u) / CHUNK; chunk > 0u; chunk--) {
    let t0 = range.x + (chunk - 1u) * CHUNK;
    let size = min(CHUNK, range.y - t0);
    let at_h = (first + chunk - 1u) * plane + fixed;
    for (var n = 0u; n < own; n++) { h[n] = checkpoints[at_h + n]; }
    for (var k = 0u; k < size; k++) {
      let t = t0 + k;
      let item = items[t * params.d + d];
      let at_b = select(fixed, (t * params.groups + group) * params.states + params.n0, params.b_varies == 1u);
      for (var n = 0u; n < own; n++) {
        before[k * N + n] = h[n];
        h[n] = exp(item.step * rate[n]) * h[n] + item.step * item.u * f32(b[at_b + n]);
      }
    }
    for (var k = size; k > 0u; k--) {
      let t = t0 + k - 1u;
      let item = items[t * params.d + d];
      let row_bc = (t * params.groups + group) * params.states + params.n0;
      let at_b = select(fixed, row_bc, params.b_varies == 1u);
      let at_c = select(fixed, row_bc, params.c_varies == 1u);
      var along_b = 0.0;
      var along_a = 0.0;
      for (var n = 0u; n < N; n++) {
        var pair = vec2(0.0, 0.0);
        if (n < own && active_lane) {
          let bn = f32(b[at_b + n]);
          let decay = exp(item.step * rate[n]);
          let decayed = decay * before[(k - 1u) * N + n];
          let g = carry[n] + item.gy * f32(c[at_c + n]);
          pair = vec2(g * item.step * item.u, item.gy * (decayed + item.step * item.u * bn));
          along_b += g * bn;
          along_a += g * rate[n] * decayed;
          da[n] += g * item.step * decayed;
          db[n] += pair.x;
          dc[n] += pair.y;
          carry[n] = decay * g;
        }
        shared_pairs[lane * N + n] = pair;
      }
      dskip += item.gy * item.u;
      if (active_lane) {
        items[t * params.d + d].du += item.step * along_b;
        items[t * params.d + d].dstep += item.u * along_b + along_a;
      }
      workgroupBarrier();
      // 64 channels in two steps: N at a time, then the 64/N sums of each state.
      var total = vec2(0.0, 0.0);
      for (var l = 0u; l < N; l++) { total += shared_pairs[((lane / N) * N + l) * N + lane % N]; }
      totals[lane] = total;
      workgroupBarrier();
      if (lane < own && (params.b_varies == 1u || params.c_varies == 1u)) {
        total = vec2(0.0, 0.0);
        for (var part = 0u; part < PARTS; part++) { total += totals[part * N + lane]; }
        partial[((block * params.tokens + t) * params.groups + group) * params.states + params.n0 + lane] = total;
      }
    }
  }
  if (!active_lane) { return; }
  let at_sums = (s * params.d + d) * (3u * params.states + 1u);
  for (var n = 0u; n < own; n++) {
    checkpoints[at_seed + n] = carry[n];
    sums[at_sums + params.n0 + n] = da[n];
    sums[at_sums + params.states + params.n0 + n] = db[n];
    sums[at_sums + 2u * params.states + params.n0 + n] = dc[n];
  }
  if (params.n0 == 0u) { sums[at_sums + 3u * params.states] = dskip; }
}
