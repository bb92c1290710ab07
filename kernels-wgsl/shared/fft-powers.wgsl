// Two real signals share a transform, so that rounding of a large one is an error of a small one beside it, and a NaN of one
// a NaN of both. Hence each enters as its numbers over the power of two below the largest of them, and one with a number
// that is not finite as zeros; it leaves times that power, or as that number. Magnitudes are compared as their bits, which
// have the same order, infinity and NaN last. Needs shared/fft.wgsl, whose memory it uses before the transform.
fn magnitude(v: vec2<f32>) -> vec2<u32> {
  return bitcast<vec2<u32>>(v) & vec2(0x7fffffffu);
}

// The largest of the magnitudes that the lanes of a workgroup have found.
fn largest(lane: u32, own: vec2<u32>) -> vec2<u32> {
  points[lane] = bitcast<vec2<f32>>(own);
  workgroupBarrier();
  var most = own;
  for (var i = 0u; i < min(LANES, params.points); i++) { most = max(most, bitcast<vec2<u32>>(points[i])); }
  workgroupBarrier();
  return most;
}

fn endless(most: vec2<u32>) -> vec2<bool> {
  return most >= vec2(0x7f800000u);
}

// Exponent bits of the powers, within 2^-60 and 2^60.
fn exponents(most: vec2<u32>) -> vec2<u32> {
  return clamp(most & vec2(0x7f800000u), vec2(67u << 23u), vec2(187u << 23u));
}

fn over(v: vec2<f32>, most: vec2<u32>) -> vec2<f32> {
  return select(v * bitcast<vec2<f32>>(vec2(254u << 23u) - exponents(most)), vec2(0.0), endless(most));
}

// A number of the first signal or the second as it is.
fn back(v: vec2<f32>, most: vec2<u32>) -> vec2<f32> {
  return select(v * bitcast<vec2<f32>>(exponents(most)), bitcast<vec2<f32>>(most), endless(most));
}
