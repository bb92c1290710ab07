// As shared/rows, with two barriers to a sum or maximum: subgroups join their values, then each joins the results of all
// of them. `main` sets `own` first.
// include shared/number.wgsl
// include shared/subgroups.wgsl
const LANES = 64u;
const LOWEST = -3.0e38;
var<workgroup> tree: array<f32, 64>;

struct Own { id: u32, span: u32, }
var<private> own: Own;

fn rowIndex(group: vec3<u32>, groups: vec3<u32>) -> u32 {
  return group.x + group.y * groups.x;
}

// Does this invocation hand over the value of its subgroup? With a span of 1 each hands over its own.
fn leads() -> bool {
  return own.id % own.span == 0u;
}

fn treeSum(value: f32, lane: u32) -> f32 {
  workgroupBarrier();
  tree[lane] = select(0.0, joinedSum(value), leads());
  workgroupBarrier();
  var total = 0.0;
  for (var i = own.id % own.span; i < LANES; i += own.span) { total += tree[i]; }
  return joinedSum(total);
}

fn joinedSum(value: f32) -> f32 {
  let sum = subgroupAdd(value);
  return select(sum, value, own.span == 1u);
}

// NaN spreads, which subgroupMax does not promise.
fn treeMax(value: f32, lane: u32) -> f32 {
  workgroupBarrier();
  tree[lane] = select(LOWEST, joinedMax(value), leads());
  workgroupBarrier();
  var highest = LOWEST;
  for (var i = own.id % own.span; i < LANES; i += own.span) { highest = larger(highest, tree[i]); }
  let first = subgroupBroadcastFirst(joinedMax(highest));
  return select(first, highest, own.span == 1u);
}

// The maximum of a subgroup, in the invocation that leads.
fn joinedMax(value: f32) -> f32 {
  var highest = value;
  for (var reach = 1u; reach < LANES; reach *= 2u) {
    let other = subgroupShuffleDown(highest, reach);
    if (own.id + reach < own.span) { highest = larger(highest, other); }
  }
  return highest;
}
