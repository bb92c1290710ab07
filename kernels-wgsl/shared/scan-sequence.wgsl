// Token range [begin, end) of sequence s: from cuSeqlens when packed, else T tokens each. Needs params and cu.
fn sequence(s: u32) -> vec2<u32> {
  if (params.packed == 1u) { return min(vec2<u32>(max(vec2(cu[s], cu[s + 1u]), vec2(0))), vec2(params.time)); }
  return vec2(s * params.time, (s + 1u) * params.time);
}
