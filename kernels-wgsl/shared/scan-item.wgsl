// What the backward scan reads and writes for one token of one channel.
struct Item { u: f32, step: f32, gy: f32, slope: f32, du: f32, dstep: f32, }
const CHUNK = 8u;

// First checkpoint slot of sequence s that begins at token `begin`; slots of different sequences never meet.
fn slotOf(s: u32, begin: u32) -> u32 {
  return begin / CHUNK + s;
}
