// The delta rule over chunks of 32 tokens: places of what the kernels share. Needs params with heads, groups, k and v,
// and the binding `slots`. Per token and head, `gates` is (beta, e^b from the chunk's start, e^b to its end, log-decay).
// `scores` are [slots, H, 2, 32, 32]: strict lower K K^T, lower Q K^T, both times the decays, columns outermost.
const CHUNK = 32u;
const SQUARE = 1024u;

// include shared/slots.wgsl
// include shared/rows.wgsl
fn atKey(token: u32, h: u32) -> u32 {
  return (token * params.groups + h * params.groups / params.heads) * params.k;
}

fn atHead(token: u32, h: u32, width: u32) -> u32 {
  return (token * params.heads + h) * width;
}
