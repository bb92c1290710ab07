// y = f(x), element by element. OP: 0 neg, 1 exp, 2 log, 3 sqrt, 4 rsqrt, 5 abs, 6 square, 7 sigmoid, 8 tanh, 9 relu,
// 10 silu, 11 gelu (tanh form), 12 softplus, 13 affine p x + q, 14 power x^p, 15 clamp to [p, q].
alias F = f32; // define: f32 | f16
override OP: u32 = 0u;

struct Params { count: u32, p: f32, q: f32, }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<F>; // [count]
@group(0) @binding(2) var<storage, read_write> y: array<F>; // [count]

// include shared/linear.wgsl
// include shared/math.wgsl
fn value(v: f32) -> f32 {
  switch OP {
    case 0u: { return -v; }
    case 1u: { return exp(v); }
    case 2u: { return log(v); }
    case 3u: { return sqrt(v); }
    case 4u: { return inverseSqrt(v); }
    case 5u: { return abs(v); }
    case 6u: { return v * v; }
    case 7u: { return sigmoid(v); }
    case 8u: { return tanhStable(v); }
    case 9u: { return larger(v, 0.0); }
    case 10u: { return silu(v); }
    case 11u: { return v * sigmoid(1.5957691216057308 * (v + 0.044715 * v * v * v)); }
    case 12u: { return softplus(v); }
    case 13u: { return params.p * v + params.q; }
    case 14u: { return power(v, params.p); }
    default: { return select(v, clamp(v, params.p, params.q), isNumber(v)); }
  }
}

@compute @workgroup_size(256)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
  let i = linearIndex(id, groups);
  if (i >= params.count) { return; }
  y[i] = F(value(f32(x[i])));
}
