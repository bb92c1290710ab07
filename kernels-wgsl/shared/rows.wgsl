// One workgroup of 64 a row, rows folded to two dimensions; sums and maxima by a tree in workgroup memory.
// include shared/number.wgsl
const LANES = 64u;
const LOWEST = -3.0e38;
var<workgroup> tree: array<f32, 64>;

fn rowIndex(group: vec3<u32>, groups: vec3<u32>) -> u32 {
  return group.x + group.y * groups.x;
}

fn treeSum(value: f32, lane: u32) -> f32 {
  workgroupBarrier();
  tree[lane] = value;
  workgroupBarrier();
  for (var half = LANES / 2u; half > 0u; half /= 2u) {
    if (lane < half) { tree[lane] += tree[lane + half]; }
    workgroupBarrier();
  }
  return tree[0];
}

fn treeMax(value: f32, lane: u32) -> f32 {
  workgroupBarrier();
  tree[lane] = value;
  workgroupBarrier();
  for (var half = LANES / 2u; half > 0u; half /= 2u) {
    if (lane < half) { tree[lane] = larger(tree[lane], tree[lane + half]); }
    workgroupBarrier();
  }
  return tree[0];
}
