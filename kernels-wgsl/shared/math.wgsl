// Functions WGSL lacks or leaves imprecise. exp only ever sees non-positive numbers here.
// include shared/number.wgsl
// include shared/gates.wgsl

// The builtin may overflow inside; the series keeps relative accuracy near zero.
fn tanhStable(x: f32) -> f32 {
  let q = x * x;
  if (q < 0.0625) {
    return x * (1.0 + q * (-1.0 / 3.0 + q * (2.0 / 15.0 + q * (-17.0 / 315.0 + q * (62.0 / 2835.0)))));
  }
  let e = exp(-2.0 * abs(x));
  return sign(x) * (1.0 - e) / (1.0 + e);
}

// x^e: small integer exponents by multiplication, negative bases where the exponent is an integer.
fn power(x: f32, e: f32) -> f32 {
  let whole = floor(e) == e;
  if (whole && abs(e) <= 16.0) {
    var r = 1.0;
    for (var i = 0u; i < u32(abs(e)); i++) { r *= x; }
    return select(r, 1.0 / r, e < 0.0);
  }
  if (x == 0.0) { return select(3.0e38, 0.0, e > 0.0); }
  let r = exp2(e * log2(abs(x)));
  let odd = whole && floor(e * 0.5) * 2.0 != e;
  return select(r, -r, x < 0.0 && odd);
}
