// y and lse of one query a sequence from the parts of decode.wgsl; an invocation an element of y.
alias F = f32; // define: f32 | f16

struct Params { count: u32, parts: u32, heads: u32, v: u32, sink_at: u32, }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> state: array<f32>; // [sequences, H, parts, 2 + V]
@group(0) @binding(2) var<storage, read> plan: array<i32>; // [12 tiles + tables], see shared/attention
@group(0) @binding(3) var<storage, read_write> y: array<F>; // [B, 1, H, V]
@group(0) @binding(4) var<storage, read_write> lse: array<f32>; // [B, H, 1]

// include shared/linear.wgsl
// include shared/number.wgsl
const LOWEST = -1.0e30;

@compute @workgroup_size(256)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
  let index = linearIndex(id, groups);
  if (index >= params.count) { return; }
  let column = index % params.v;
  let h = (index / params.v) % params.heads;
  let sequence = index / params.v / params.heads;
  if (plan[sequence * 12u + 2u] == 0) { return; }
  var top = LOWEST;
  var total = 0.0;
  var value = 0.0;
  if (params.sink_at > 0u) {
    top = bitcast<f32>(plan[params.sink_at + h]);
    total = 1.0;
  }
  for (var part = 0u; part < params.parts; part++) {
    let at = ((sequence * params.heads + h) * params.parts + part) * (params.v + 2u);
    if (state[at + 1u] == 0.0) { continue; }
    let next = max(top, state[at]);
    let shrink = exp(top - next);
    let weight = exp(state[at] - next);
    total = total * shrink + weight * state[at + 1u];
    value = value * shrink + weight * state[at + 2u + column];
    top = next;
  }
  let any = total > 0.0 || !isNumber(total);
  let row = u32(plan[sequence * 12u + 1u]) * params.heads + h;
  y[row * params.v + column] = F(select(0.0, value / total, any));
  if (column == 0u) { lse[row] = select(LOWEST, top + log(total), any); }
}
