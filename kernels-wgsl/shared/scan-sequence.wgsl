// Token range [begin, end) of sequence s: from cuSeqlens when packed, else T tokens each. Needs params and cu.
fn sequence(s: u32) -> vec2<u32> {
  if (params.packed == 1u) { return vec2(min(u32(cu[s]), params.time), min(u32(cu[s + 1u]), params.time)); }
  return vec2(s * params.time, (s + 1u) * params.time);
}
