// y = x in another element type; floats to integers (INTEGER = 1) are cut towards zero and clamped to the range, NaN
// gives 0; between integers the bits stay.
alias S = f32; // define: f32 | f16 | i32 | u32
alias T = f32; // define: f32 | f16 | i32 | u32
override INTEGER: u32 = 0u;

struct Params { count: u32, }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<S>; // [count]
@group(0) @binding(2) var<storage, read_write> y: array<T>; // [count]

// include shared/linear.wgsl
// include shared/number.wgsl
@compute @workgroup_size(256)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
  let i = linearIndex(id, groups);
  if (i >= params.count) { return; }
  y[i] = select(T(x[i]), T(0), INTEGER == 1u && !isNumber(f32(x[i])));
}
