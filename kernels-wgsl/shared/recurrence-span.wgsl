// Tokens of row i of a linear recurrence: of slot i (SLOTS = 1), or of the whole sequence i. Needs the overrides SLOTS
// and PACKED, params.time, and the binding `spans`: the table of ops/sequence/slots, or cuSeqlens when packed.
struct Span { begin: u32, end: u32, sequence: u32, number: u32, }

fn spanOf(i: u32) -> Span {
  if (SLOTS == 1u) {
    let begin = u32(spans[i * 4u]);
    return Span(begin, begin + u32(spans[i * 4u + 1u]), u32(spans[i * 4u + 2u]), u32(spans[i * 4u + 3u]));
  }
  if (PACKED == 1u) {
    let begin = min(u32(max(spans[i], 0)), params.time);
    return Span(begin, max(begin, min(u32(max(spans[i + 1u], 0)), params.time)), i, 0u);
  }
  return Span(i * params.time, (i + 1u) * params.time, i, 0u);
}
