// da = dy df/da, db = dy df/db, with OP 2 mul, 3 div, 4 maximum, 5 minimum, 6 pow as in binary.wgsl.
// Where a = b, maximum and minimum pass the whole gradient to a.
alias F = f32; // define: f32 | f16
override OP: u32 = 2u;

struct Params { count: u32, }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> a: array<F>; // [count]
@group(0) @binding(2) var<storage, read> b: array<F>; // [count]
@group(0) @binding(3) var<storage, read> dy: array<F>; // [count]
@group(0) @binding(4) var<storage, read_write> da: array<F>; // [count]
@group(0) @binding(5) var<storage, read_write> db: array<F>; // [count]

// include shared/linear.wgsl
// include shared/math.wgsl
fn slopes(u: f32, v: f32) -> vec2<f32> {
  switch OP {
    case 2u: { return vec2(v, u); }
    case 3u: { return vec2(1.0 / v, -u / v / v); }
    case 4u: { return select(vec2(0.0, 1.0), vec2(1.0, 0.0), u >= v); }
    case 5u: { return select(vec2(0.0, 1.0), vec2(1.0, 0.0), u <= v); }
    default: {
      let logarithm = select(0.0, log(max(u, 1.0e-37)), u > 0.0);
      return vec2(v * power(u, v - 1.0), power(u, v) * logarithm);
    }
  }
}

@compute @workgroup_size(256)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
  let i = linearIndex(id, groups);
  if (i >= params.count) { return; }
  let g = f32(dy[i]) * slopes(f32(a[i]), f32(b[i]));
  da[i] = F(g.x);
  db[i] = F(g.y);
}
