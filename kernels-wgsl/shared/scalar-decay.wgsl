// What the kernels of scalar-decay share: the table of slots and gates, and sums of log-decays within a chunk of 64.
// Needs the binding `table` (ops/scalar-decay/table) and the fields at_gates and heads. Sums are made of the gates that
// lie between two tokens, by blocks of 16, never as differences of longer sums: a huge decay costs no digits elsewhere.
struct Slot { begin: u32, size: u32, sequence: u32, number: u32, }
const CHUNK = 64u;
var<workgroup> gates: array<f32, 64>;
var<workgroup> heads_of: array<f32, 64>; // g from the start of the block of 16 to the token
var<workgroup> tails_of: array<f32, 64>; // g from after the token to the end of its block

fn slotAt(i: u32) -> Slot {
  return Slot(table[i * 4u], table[i * 4u + 1u], table[i * 4u + 2u], table[i * 4u + 3u]);
}

fn gateAt(token: u32, head: u32) -> f32 {
  return bitcast<f32>(table[params.at_gates + token * params.heads + head]);
}

// All invocations of a workgroup of at least 64 must call it.
fn sumGates(slot: Slot, head: u32, lane: u32) {
  if (lane < CHUNK) {
    gates[lane] = 0.0;
    if (lane < slot.size) { gates[lane] = gateAt(slot.begin + lane, head); }
  }
  workgroupBarrier();
  if (lane < CHUNK) {
    let first = lane & 48u;
    var sum = 0.0;
    for (var m = first; m <= lane; m++) { sum += gates[m]; }
    heads_of[lane] = sum;
    sum = 0.0;
    for (var m = lane + 1u; m < first + 16u; m++) { sum += gates[m]; }
    tails_of[lane] = sum;
  }
  workgroupBarrier();
}

// Gates of blocks from `first` up to before `end`.
fn blocks(first: u32, end: u32) -> f32 {
  var sum = 0.0;
  for (var b = first; b < end; b++) { sum += heads_of[b * 16u + 15u]; }
  return sum;
}

// Gates from the start of the chunk to token i, after token i to the end, and after token j to token i >= j.
fn toToken(i: u32) -> f32 { return blocks(0u, i / 16u) + heads_of[i]; }
fn afterToken(i: u32) -> f32 { return tails_of[i] + blocks(i / 16u + 1u, 4u); }
fn between(j: u32, i: u32) -> f32 {
  if (j / 16u == i / 16u) {
    var sum = 0.0;
    for (var m = j + 1u; m <= i; m++) { sum += gates[m]; }
    return sum;
  }
  return tails_of[j] + blocks(j / 16u + 1u, i / 16u) + heads_of[i];
}
