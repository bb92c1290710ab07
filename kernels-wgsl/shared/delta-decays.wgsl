// Decays between the tokens of a chunk: e^(sum of the logs between), not of a difference of long sums.
var<workgroup> logs: array<f32, 32>;

// From token j to tokens i to i + 3; 0 where they come before j.
fn decaysFrom(j: u32, i: u32) -> vec4<f32> {
  var sum = 0.0;
  for (var l = j + 1u; l < i; l++) { sum += logs[l]; }
  var d = vec4(0.0);
  for (var r = 0u; r < 4u; r++) {
    if (i + r > j) { sum += logs[i + r]; }
    if (i + r >= j) { d[r] = exp(sum); }
  }
  return d;
}
