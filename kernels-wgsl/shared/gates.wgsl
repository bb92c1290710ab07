// Softplus and SiLU with their slopes. exp only ever sees non-positive numbers here, except on the far left of softplus.

// log(1 + u) for 0 <= u <= 1, as 2 artanh(u / (2 + u)): the builtin log has an absolute error of 2^-21 near 1.
fn log1p(u: f32) -> f32 {
  let s = u / (2.0 + u);
  let q = s * s;
  let tail = 1.0 / 9.0 + q * (1.0 / 11.0 + q * (1.0 / 13.0 + q * (1.0 / 15.0 + q / 17.0)));
  return 2.0 * s * (1.0 + q * (1.0 / 3.0 + q * (0.2 + q * (1.0 / 7.0 + q * tail))));
}

fn sigmoid(x: f32) -> f32 {
  let e = exp(-abs(x));
  return select(e, 1.0, x >= 0.0) / (1.0 + e);
}

fn softplus(x: f32) -> f32 {
  if (x > 20.0) { return x; }
  if (x < -15.0) { return exp(x); }
  return max(x, 0.0) + log1p(exp(-abs(x)));
}

// Derivative of softplus: sigmoid, and exactly 1 where softplus is the identity.
fn softplusSlope(x: f32) -> f32 {
  return select(sigmoid(x), 1.0, x > 20.0);
}

fn silu(x: f32) -> f32 {
  return x * sigmoid(x);
}

fn siluSlope(x: f32) -> f32 {
  let s = sigmoid(x);
  return s * (1.0 + x * (1.0 - s));
}
