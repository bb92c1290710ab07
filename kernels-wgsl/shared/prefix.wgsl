// Sums over the 256 lanes of a workgroup before each lane, and of all: integers, in log steps.
var<workgroup> prefix: array<u32, 256>;

fn prefixSum(value: u32, lane: u32) -> vec2<u32> {
  workgroupBarrier();
  prefix[lane] = value;
  workgroupBarrier();
  for (var step = 1u; step < 256u; step *= 2u) {
    var sum = prefix[lane];
    if (lane >= step) { sum += prefix[lane - step]; }
    workgroupBarrier();
    prefix[lane] = sum;
    workgroupBarrier();
  }
  return vec2(prefix[lane] - value, prefix[255]);
}
