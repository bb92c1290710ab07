// Both ends of a sequence, one invocation a sequence and channel: the gradient of the initial state, and what the gradient
// of the final one asks of its exponent alone. That is the largest of k_i + (tokens since) w and the exponent of the initial
// state; it goes to whichever it was, and to w once for each token since.
alias F = f32; // define: f32 | f16
override INITIAL: u32 = 0u;
override DFINAL: u32 = 0u;

struct Params { count: u32, d: u32, at_winners: u32, at_sums: u32, }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> initial: array<f32>; // [S, 3, D]
@group(0) @binding(2) var<storage, read> final_state: array<f32>; // [S, 3, D]
@group(0) @binding(3) var<storage, read> dfinal: array<f32>; // [S, 3, D]
@group(0) @binding(4) var<storage, read> adjoint: array<vec2<f32>>; // [S, D], of (a, b) before the first token
@group(0) @binding(5) var<storage, read> kept: array<u32>; // [*], from at_winners [S, 2, D]
@group(0) @binding(6) var<storage, read_write> grads: array<F>; // [tokens, D] first: dk
@group(0) @binding(7) var<storage, read_write> work: array<f32>; // [*], from at_sums [S, 2, D]: dw, du
@group(0) @binding(8) var<storage, read_write> dinitial: array<f32>; // [S, 3, D]

// include shared/linear.wgsl
@compute @workgroup_size(256)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
  let i = linearIndex(id, groups);
  if (i >= params.count) { return; }
  let d = i % params.d;
  let s = i / params.d;
  let a = s * 3u * params.d + d;
  let b = a + params.d;
  let p = b + params.d;
  let at = s * 2u * params.d + d;
  var top = 0.0;
  var winner = 0u;
  if (DFINAL == 1u) {
    top = dfinal[p] - dfinal[a] * final_state[a] - dfinal[b] * final_state[b];
    winner = kept[params.at_winners + at];
    if (winner > 0u) {
      let token = (winner - 1u) * params.d + d;
      grads[token] = F(f32(grads[token]) + top);
    }
    work[params.at_sums + at] = top * f32(kept[params.at_winners + at + params.d]);
  } else {
    work[params.at_sums + at] = 0.0;
  }
  work[params.at_sums + at + params.d] = 0.0;
  if (INITIAL == 1u) {
    // The sums do not change when pp moves against aa and bb, hence the gradient of pp.
    let g = adjoint[i];
    dinitial[a] = g.x;
    dinitial[b] = g.y;
    dinitial[p] = g.x * initial[a] + g.y * initial[b] + select(0.0, top, winner == 0u);
  }
}
