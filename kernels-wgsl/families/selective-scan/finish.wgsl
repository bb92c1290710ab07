// After the backward scan: du as it stands, ddelta = dstep times the slope of the step.
alias F = f32; // define: f32 | f16

struct Params { count: u32, }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> items: array<Item>; // [tokens, D] = [count]
@group(0) @binding(2) var<storage, read_write> du: array<F>; // [tokens, D]
@group(0) @binding(3) var<storage, read_write> ddelta: array<F>; // [tokens, D]

// include shared/linear.wgsl
// include shared/scan-item.wgsl
@compute @workgroup_size(256)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
  let i = linearIndex(id, groups);
  if (i >= params.count) { return; }
  du[i] = F(items[i].du);
  ddelta[i] = F(items[i].dstep * items[i].slope);
}
