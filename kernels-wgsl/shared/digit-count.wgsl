// How many of the digits that 256 lanes hold equal the number of this lane; NO_DIGIT equals none.
const NO_DIGIT = 256u;
var<workgroup> held: array<u32, 256>;

fn countDigits(digit: u32, lane: u32) -> u32 {
  workgroupBarrier();
  held[lane] = digit;
  workgroupBarrier();
  var count = 0u;
  for (var i = 0u; i < 256u; i++) { count += select(0u, 1u, held[i] == lane); }
  return count;
}
