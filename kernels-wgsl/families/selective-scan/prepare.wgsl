// Before the backward scan: gy = dy silu(z), dz = dy y silu'(z), the step and its slope, and du = D gy.
alias F = f32; // define: f32 | f16
override GATED: u32 = 0u;
override DY: u32 = 1u;

struct Params { count: u32, d: u32, states: u32, softplus: u32, }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> u: array<F>; // [tokens, D] = [count]
@group(0) @binding(2) var<storage, read> delta: array<F>; // [tokens, D]
@group(0) @binding(3) var<storage, read> channel: array<f32>; // [D, states + 2]
@group(0) @binding(4) var<storage, read> dy: array<F>; // [tokens, D]
@group(0) @binding(5) var<storage, read> z: array<F>; // [tokens, D]
@group(0) @binding(6) var<storage, read> y: array<f32>; // [tokens, D], before the gate
@group(0) @binding(7) var<storage, read_write> items: array<Item>; // [tokens, D]
@group(0) @binding(8) var<storage, read_write> dz: array<F>; // [tokens, D]

// include shared/linear.wgsl
// include shared/math.wgsl
// include shared/scan-item.wgsl
@compute @workgroup_size(256)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
  let i = linearIndex(id, groups);
  if (i >= params.count) { return; }
  let at = (i % params.d) * (params.states + 2u) + params.states;
  let raw = f32(delta[i]) + channel[at + 1u];
  var step = raw;
  var slope = 1.0;
  if (params.softplus == 1u) {
    step = softplus(raw);
    slope = softplusSlope(raw);
  }
  var gy = 0.0;
  if (DY == 1u) { gy = f32(dy[i]); }
  if (GATED == 1u) {
    let gate = f32(z[i]);
    dz[i] = F(gy * y[i] * siluSlope(gate));
    gy *= silu(gate);
  }
  items[i] = Item(f32(u[i]), step, gy, slope, channel[at] * gy, 0.0);
}
