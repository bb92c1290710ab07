// NaN told by its bits: compilers may assume in comparisons, max and min that it does not occur.
fn isNumber(x: f32) -> bool {
  return (bitcast<u32>(x) & 0x7fffffffu) <= 0x7f800000u;
}

// The larger one; NaN spreads.
fn larger(a: f32, b: f32) -> f32 {
  return select(a + b, max(a, b), isNumber(a) && isNumber(b));
}

// The smaller one; NaN spreads.
fn smaller(a: f32, b: f32) -> f32 {
  return select(a + b, min(a, b), isNumber(a) && isNumber(b));
}

// An unsigned number in the order of the floats: zeros are equal, NaN counts as positive infinity.
fn sortKey(x: f32) -> u32 {
  let bits = bitcast<u32>(x);
  let size = bits & 0x7fffffffu;
  if (size > 0x7f800000u) { return 0xff800000u; }
  return select(0x80000000u + size, 0x80000000u - size, bits > 0x80000000u);
}
