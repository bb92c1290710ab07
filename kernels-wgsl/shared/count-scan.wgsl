// Sum of the counts of the lanes before this one, in a workgroup of 256.
var<workgroup> running: array<u32, 256>;

fn scanCounts(own: u32, lane: u32) -> u32 {
  workgroupBarrier();
  running[lane] = own;
  workgroupBarrier();
  for (var step = 1u; step < 256u; step *= 2u) {
    var left = 0u;
    if (lane >= step) { left = running[lane - step]; }
    workgroupBarrier();
    running[lane] += left;
    workgroupBarrier();
  }
  return running[lane] - own;
}
