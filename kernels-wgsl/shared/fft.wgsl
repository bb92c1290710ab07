// Discrete Fourier transform of SIZE points in workgroup memory, in place, by all lanes of the workgroup. Forward passes
// split by frequency and leave bit-reversed order; inverse passes take that order, without the factor 1 / SIZE. Needs
// const SIZE and LANES, the field params.points = SIZE (a bound that compilers do not unroll) and the binding `twiddles`:
// cosine and sine of 2 pi j / SIZE.
var<workgroup> points: array<vec2<f32>, SIZE>;

fn times(a: vec2<f32>, b: vec2<f32>) -> vec2<f32> {
  return vec2(a.x * b.x - a.y * b.y, a.x * b.y + a.y * b.x);
}

fn conjugate(a: vec2<f32>) -> vec2<f32> {
  return vec2(a.x, -a.y);
}

fn transform(lane: u32) {
  for (var half = params.points / 2u; half > 0u; half /= 2u) {
    workgroupBarrier();
    for (var i = lane; i < params.points / 2u; i += LANES) {
      let j = i % half;
      let p = 2u * i - j;
      let a = points[p];
      let b = points[p + half];
      points[p] = a + b;
      points[p + half] = times(a - b, conjugate(twiddles[j * (params.points / 2u / half)]));
    }
  }
  workgroupBarrier();
}

fn inverse(lane: u32) {
  for (var half = 1u; half < params.points; half *= 2u) {
    workgroupBarrier();
    for (var i = lane; i < params.points / 2u; i += LANES) {
      let j = i % half;
      let p = 2u * i - j;
      let a = points[p];
      let b = times(points[p + half], twiddles[j * (params.points / 2u / half)]);
      points[p] = a + b;
      points[p + half] = a - b;
    }
  }
  workgroupBarrier();
}

// Place of frequency k in bit-reversed order.
fn placeOf(k: u32) -> u32 {
  return reverseBits(k) >> (countLeadingZeros(params.points) + 1u);
}
