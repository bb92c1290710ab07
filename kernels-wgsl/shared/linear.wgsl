// One invocation an element; workgroups of 256 folded to two dimensions.
fn linearIndex(id: vec3<u32>, groups: vec3<u32>) -> u32 {
  return id.x + id.y * groups.x * 256u;
}
