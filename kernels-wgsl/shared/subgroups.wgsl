// Subgroups of any size and in any order of invocations. `id` is subgroup_invocation_id. Shuffles read a neighbour by its
// id, so ids that leave a gap (invocations that do not run) make an invocation work alone: its span is 1.
fn spanOf(id: u32) -> u32 {
  let count = subgroupAdd(1u);
  return select(1u, count, subgroupMax(id) + 1u == count);
}
