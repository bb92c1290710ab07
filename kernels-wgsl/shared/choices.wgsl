// The q-th of T k choices in the order in which they compete, as t k + j. Needs params.tokens, params.k and order.
override CHOICE_MAJOR: u32 = 0u;
override ORDERED: u32 = 0u;
const NONE = 0xffffffffu;

fn choiceAt(q: u32) -> u32 {
  var t = select(q / params.k, q % params.tokens, CHOICE_MAJOR == 1u);
  let j = select(q % params.k, q / params.tokens, CHOICE_MAJOR == 1u);
  if (ORDERED == 1u) { t = u32(order[t]); }
  return t * params.k + j;
}
