// y = erfc(-x / sqrt 2) / 2. For z = |x| / sqrt 2 >= 1/2, erfc(z) = e^(-z^2) g(z) / (z + 4) with g a Chebyshev series in
// u = (9 t - 1) / 8, t = (z - 4) / (z + 4); below, erfc(z) = 1 - erf(z) by its series.
alias F = f32; // define: f32 | f16

struct Params { count: u32, }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<F>; // [count]
@group(0) @binding(2) var<storage, read_write> y: array<F>; // [count]

// include shared/linear.wgsl
// include shared/number.wgsl
const SERIES = array<f32, 14>(
  2.613502780200074, -0.999400013778434, 0.33450564639563113, -0.09812769153233566, 0.02510305592361228,
  -0.005529563813797631, 0.001022691250361159, -0.00015075914584299275, 1.545830699575061e-5,
  -4.886374202311502e-7, -1.744309149146546e-7, 3.477211158303258e-8, -1.4254741846918907e-9,
  -5.273285851582202e-10,
);

// erfc(z) of z >= 1/2.
fn upperTail(z: f32) -> f32 {
  let t = (z - 4.0) / (z + 4.0);
  let u = (9.0 * t - 1.0) / 8.0;
  var series = SERIES;
  var b1 = 0.0;
  var b2 = 0.0;
  for (var i = 13u; i >= 1u; i--) {
    let next = 2.0 * u * b1 - b2 + series[i];
    b2 = b1;
    b1 = next;
  }
  // The square in two parts, so that its rounding does not grow with it.
  let high = round(z * 64.0) / 64.0;
  let low = z - high;
  return exp(-high * high) * exp(-low * (z + high)) * (u * b1 - b2 + 0.5 * series[0]) / (z + 4.0);
}

// erf(z) of 0 <= z < 1/2.
fn centre(z: f32) -> f32 {
  let s = z * z;
  let sum = 1.0 - s * (1.0 / 3.0 - s * (1.0 / 10.0 - s * (1.0 / 42.0 - s * (1.0 / 216.0 - s * (1.0 / 1320.0)))));
  return 1.1283791670955126 * z * sum;
}

fn distribution(v: f32) -> f32 {
  let z = abs(v) * 0.7071067811865476;
  if (z < 0.5) { return 0.5 + 0.5 * sign(v) * centre(z); }
  let tail = 0.5 * select(upperTail(min(z, 14.0)), 0.0, z > 13.5);
  return select(tail, 1.0 - tail, v > 0.0);
}

@compute @workgroup_size(256)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
  let i = linearIndex(id, groups);
  if (i >= params.count) { return; }
  let v = f32(x[i]);
  if (!isNumber(v)) { y[i] = x[i]; return; }
  y[i] = F(distribution(v));
}
