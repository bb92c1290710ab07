// Adds a number to (sum, error): what rounding loses is kept in the second part (Knuth's two-sum). `one` is 1.0 from a
// uniform: compilers may reassociate, and a factor they cannot see keeps (sum + v) - sum from becoming v.
fn exactAdd(sum: vec2<f32>, v: f32, one: f32) -> vec2<f32> {
  let next = (sum.x + v) * one;
  let part = next - sum.x;
  return vec2(next, sum.y + ((sum.x - (next - part) * one) + (v - part)));
}
