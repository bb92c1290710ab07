// dlogits = dloss (softmax(logits) - onehot(target)), element by element.
alias F = f32; // define: f32 | f16

struct Params { count: u32, n: u32, }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> logits: array<F>; // [rows, V] = [count]
@group(0) @binding(2) var<storage, read> targets: array<i32>; // [rows]
@group(0) @binding(3) var<storage, read> lse: array<vec2<f32>>; // [rows]
@group(0) @binding(4) var<storage, read> dloss: array<F>; // [rows]
@group(0) @binding(5) var<storage, read_write> dlogits: array<F>; // [rows, V]

// include shared/linear.wgsl
// include shared/number.wgsl
@compute @workgroup_size(256)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
  let i = linearIndex(id, groups);
  if (i >= params.count) { return; }
  let row = i / params.n;
  let p = exp(smaller(f32(logits[i]) - lse[row].x - lse[row].y, 0.0));
  let hit = select(0.0, 1.0, i32(i % params.n) == clamp(targets[row], 0, i32(params.n) - 1));
  dlogits[i] = F(f32(dloss[row]) * (p - hit));
}
