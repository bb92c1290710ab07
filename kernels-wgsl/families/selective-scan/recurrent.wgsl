// h_t = exp(d_t A) h_{t-1} + d_t u_t B_t, y_t = C_t . h_t + D u_t; one invocation a channel of a sequence, its states in
// registers, N of them from n0 on. More states take more dispatches, each adding to y. `state` comes in as the
// initial state and leaves as the final one.
alias F = f32; // define: f32 | f16
const N = 16u; // define: 4 | 16

struct Params {
  count: u32, d: u32, states: u32, n0: u32, time: u32, groups: u32,
  b_varies: u32, c_varies: u32, softplus: u32, packed: u32,
}
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> u: array<F>; // [tokens, D]
@group(0) @binding(2) var<storage, read> delta: array<F>; // [tokens, D]
@group(0) @binding(3) var<storage, read> channel: array<f32>; // [D, states + 2]: A, D, bias
@group(0) @binding(4) var<storage, read> b: array<F>; // [tokens, G, states] or [D, states]
@group(0) @binding(5) var<storage, read> c: array<F>; // [tokens, G, states] or [D, states]
@group(0) @binding(6) var<storage, read> cu: array<i32>; // [S + 1] when packed
@group(0) @binding(7) var<storage, read_write> y: array<f32>; // [tokens, D]
@group(0) @binding(8) var<storage, read_write> state: array<f32>; // [S, D, states], count = S D

// include shared/linear.wgsl
// include shared/math.wgsl
// include shared/scan-sequence.wgsl
@compute @workgroup_size(256)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
  let i = linearIndex(id, groups);
  if (i >= params.count) { return; }
  let d = i % params.d;
  let range = sequence(i / params.d);
  let own = min(N, params.states - params.n0);
  let at_channel = d * (params.states + 2u);
  let at_state = i * params.states + params.n0;
  let group = d / (params.d / params.groups);
  var rate: array<f32, N>;
  var h: array<f32, N>;
  for (var n = 0u; n < own; n++) {
    rate[n] = channel[at_channel + params.n0 + n];
    h[n] = state[at_state + n];
  }
  let skip = channel[at_channel + params.states];
  let bias = channel[at_channel + params.states + 1u];
  for (var t = range.x; t < range.y; t++) {
    let at = t * params.d + d;
    let input = f32(u[at]);
    var step = f32(delta[at]) + bias;
    if (params.softplus == 1u) { step = softplus(step); }
    let row = (t * params.groups + group) * params.states + params.n0;
    let fixed = d * params.states + params.n0;
    let at_b = select(fixed, row, params.b_varies == 1u);
    let at_c = select(fixed, row, params.c_varies == 1u);
    var sum = 0.0;
    for (var n = 0u; n < own; n++) {
      h[n] = exp(step * rate[n]) * h[n] + step * input * f32(b[at_b + n]);
      sum += f32(c[at_c + n]) * h[n];
    }
    if (params.n0 == 0u) { y[at] = sum + skip * input; } else { y[at] += sum; }
  }
  for (var n = 0u; n < own; n++) { state[at_state + n] = h[n]; }
}
