// Slots of time: chunks of the sequences of a batch, or of packed ones. Needs the binding `slots`, filled by
// ops/sequence/slots: row i is (first token in the flattened [B T] axis, tokens, sequence, number within the sequence).
// Slots of a packed batch that hold nothing have 0 tokens.
struct Slot { begin: u32, size: u32, sequence: u32, number: u32, }

fn slotAt(i: u32) -> Slot {
  return Slot(u32(slots[i * 4u]), u32(slots[i * 4u + 1u]), u32(slots[i * 4u + 2u]), u32(slots[i * 4u + 3u]));
}
