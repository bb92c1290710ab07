// Decays within a chunk of 16 tokens of the diagonal-plus-low-rank recurrence. Needs `g`, the logarithms of the decays as
// [16 tokens][16 lanes]. Sums of a few logarithms at a time, never differences of sums: no digits are lost, and every
// exponent is at most 0. The pairs of tokens are those of a tree: at reach h (8, 4, 2, 1) rows whose number has bit h set
// meet the h rows before their half; what a decay crosses is split at the border of the halves.
const SIDE = 16u;
var<workgroup> g: array<f32, 256>;

// Sum over tokens begin to end - 1 of a lane.
fn segment(begin: u32, end: u32, l: u32) -> f32 {
  var sum = 0.0;
  for (var s = begin; s < end; s++) { sum += g[s * SIDE + l]; }
  return sum;
}

// Factors of row r at a reach: of q and of a in the later half (from the border), of k and b in the earlier one (to it).
// At reach 0 a row meets itself, without a.
fn factors(r: u32, l: u32, reach: u32) -> vec2<f32> {
  if (reach == 0u) { return vec2(1.0, 0.0); }
  let begin = r & ~(reach - 1u);
  if ((r & reach) == 0u) { return vec2(exp(segment(r + 1u, begin + reach, l)), 0.0); }
  let before = segment(begin, r, l);
  return vec2(exp(before + g[r * SIDE + l]), exp(before));
}
