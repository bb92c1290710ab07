// y = f(a, b), element by element. OP: 0 add, 1 sub, 2 mul, 3 div, 4 maximum, 5 minimum, 6 pow.
alias F = f32; // define: f32 | f16
override OP: u32 = 0u;

struct Params { count: u32, }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> a: array<F>; // [count]
@group(0) @binding(2) var<storage, read> b: array<F>; // [count]
@group(0) @binding(3) var<storage, read_write> y: array<F>; // [count]

// include shared/linear.wgsl
// include shared/math.wgsl
fn value(u: f32, v: f32) -> f32 {
  switch OP {
    case 0u: { return u + v; }
    case 1u: { return u - v; }
    case 2u: { return u * v; }
    case 3u: { return u / v; }
    case 4u: { return larger(u, v); }
    case 5u: { return smaller(u, v); }
    default: { return power(u, v); }
  }
}

@compute @workgroup_size(256)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
  let i = linearIndex(id, groups);
  if (i >= params.count) { return; }
  y[i] = F(value(f32(a[i]), f32(b[i])));
}
