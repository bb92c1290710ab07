// y = 1 where a relation b holds, else 0. OP: 0 lt, 1 le, 2 gt, 3 ge, 4 eq, 5 ne.
alias T = f32; // define: f32 | f16 | i32 | u32
override OP: u32 = 0u;

struct Params { count: u32, }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> a: array<T>; // [count]
@group(0) @binding(2) var<storage, read> b: array<T>; // [count]
@group(0) @binding(3) var<storage, read_write> y: array<T>; // [count]

// include shared/linear.wgsl
fn holds(u: T, v: T) -> bool {
  switch OP {
    case 0u: { return u < v; }
    case 1u: { return u <= v; }
    case 2u: { return u > v; }
    case 3u: { return u >= v; }
    case 4u: { return u == v; }
    default: { return u != v; }
  }
}

@compute @workgroup_size(256)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
  let i = linearIndex(id, groups);
  if (i >= params.count) { return; }
  y[i] = select(T(0), T(1), holds(a[i], b[i]));
}
