// The forward scan once more, keeping the state before every CHUNK-th token; the rows after the slots take the
// gradient of the final state, where the backward scan starts.
alias F = f32; // define: f32 | f16
const N = 16u; // define: 4 | 16

struct Params {
  count: u32, d: u32, states: u32, n0: u32, time: u32, groups: u32, b_varies: u32, packed: u32, slots: u32,
  with_initial: u32, with_dfinal: u32,
}
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> items: array<Item>; // [tokens, D]
@group(0) @binding(2) var<storage, read> channel: array<f32>; // [D, states + 2]
@group(0) @binding(3) var<storage, read> b: array<F>; // [tokens, G, states] or [D, states]
@group(0) @binding(4) var<storage, read> cu: array<i32>; // [S + 1] when packed
@group(0) @binding(5) var<storage, read> initial: array<f32>; // [S, D, states]
@group(0) @binding(6) var<storage, read> dfinal: array<f32>; // [S, D, states]
@group(0) @binding(7) var<storage, read_write> checkpoints: array<f32>; // [slots + S, D, states]

// include shared/linear.wgsl
// include shared/scan-item.wgsl
// include shared/scan-sequence.wgsl
@compute @workgroup_size(256)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
  let i = linearIndex(id, groups);
  if (i >= params.count) { return; }
  let d = i % params.d;
  let s = i / params.d;
  let range = sequence(s);
  let own = min(N, params.states - params.n0);
  let group = d / (params.d / params.groups);
  var rate: array<f32, N>;
  var h: array<f32, N>;
  for (var n = 0u; n < own; n++) {
    let at = i * params.states + params.n0 + n;
    rate[n] = channel[d * (params.states + 2u) + params.n0 + n];
    if (params.with_initial == 1u) { h[n] = initial[at]; }
    var seed = 0.0;
    if (params.with_dfinal == 1u) { seed = dfinal[at]; }
    checkpoints[params.slots * params.d * params.states + at] = seed;
  }
  let first = slotOf(s, range.x);
  for (var t = range.x; t < range.y; t++) {
    let local = t - range.x;
    if (local % CHUNK == 0u) {
      let at = ((first + local / CHUNK) * params.d + d) * params.states + params.n0;
      for (var n = 0u; n < own; n++) { checkpoints[at + n] = h[n]; }
    }
    let item = items[t * params.d + d];
    let row = (t * params.groups + group) * params.states + params.n0;
    let at_b = select(d * params.states + params.n0, row, params.b_varies == 1u);
    for (var n = 0u; n < own; n++) {
      h[n] = exp(item.step * rate[n]) * h[n] + item.step * item.u * f32(b[at_b + n]);
    }
  }
}
