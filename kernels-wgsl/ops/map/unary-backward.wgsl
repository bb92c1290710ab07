// dx = dy f'(x), with OP as in unary.wgsl; y = f(x) is used where it saves work.
alias F = f32; // define: f32 | f16
override OP: u32 = 0u;

struct Params { count: u32, p: f32, q: f32, }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<F>; // [count]
@group(0) @binding(2) var<storage, read> y: array<F>; // [count]
@group(0) @binding(3) var<storage, read> dy: array<F>; // [count]
@group(0) @binding(4) var<storage, read_write> dx: array<F>; // [count]

// include shared/linear.wgsl
// include shared/math.wgsl
fn geluSlope(v: f32) -> f32 {
  let s = sigmoid(1.5957691216057308 * (v + 0.044715 * v * v * v));
  return s + v * s * (1.0 - s) * 1.5957691216057308 * (1.0 + 0.134145 * v * v);
}

fn slope(v: f32, f: f32) -> f32 {
  switch OP {
    case 0u: { return -1.0; }
    case 1u: { return f; }
    case 2u: { return 1.0 / v; }
    case 3u: { return 0.5 / f; }
    case 4u: { return -0.5 * f * f * f; }
    case 5u: { return select(v, sign(v), isNumber(v)); }
    case 6u: { return 2.0 * v; }
    case 7u: { return f * sigmoid(-v); }
    case 8u: { return 1.0 - f * f; }
    case 9u: { return select(0.0, 1.0, v > 0.0); }
    case 10u: { return siluSlope(v); }
    case 11u: { return geluSlope(v); }
    case 12u: { return softplusSlope(v); }
    case 13u: { return params.p; }
    case 14u: { return params.p * power(v, params.p - 1.0); }
    default: { return select(0.0, 1.0, v >= params.p && v <= params.q); }
  }
}

@compute @workgroup_size(256)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
  let i = linearIndex(id, groups);
  if (i >= params.count) { return; }
  dx[i] = F(f32(dy[i]) * slope(f32(x[i]), f32(y[i])));
}
