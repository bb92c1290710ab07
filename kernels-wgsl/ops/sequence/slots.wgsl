// Chunks of all sequences, one invocation a slot; read with shared/slots. Unpacked, slot c of sequence s is s per + c;
// packed, it is floor(begin of s / chunk) + s + c, so that slots never meet whatever the lengths.
override PACKED: u32 = 0u;

struct Params { count: u32, time: u32, chunk: u32, per: u32, sequences: u32, }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> cu: array<i32>; // [S + 1] when packed
@group(0) @binding(2) var<storage, read_write> slots: array<i32>; // [count, 4]
@group(0) @binding(3) var<storage, read_write> ranges: array<i32>; // [sequences, 2]: first slot, slots

// include shared/linear.wgsl
fn boundary(s: u32) -> u32 {
  return min(u32(max(cu[s], 0)), params.time);
}

// Sequence that owns slot i when packed.
fn ownerOf(i: u32) -> u32 {
  var s = 0u;
  var high = params.sequences - 1u;
  while (s < high) {
    let middle = (s + high + 1u) / 2u;
    if (boundary(middle) / params.chunk + middle <= i) { s = middle; } else { high = middle - 1u; }
  }
  return s;
}

@compute @workgroup_size(256)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
  let i = linearIndex(id, groups);
  if (i < params.sequences) {
    var first = i * params.per;
    var count = params.per;
    if (PACKED == 1u) {
      let begin = boundary(i);
      first = begin / params.chunk + i;
      count = (max(begin, boundary(i + 1u)) - begin + params.chunk - 1u) / params.chunk;
    }
    ranges[i * 2u] = i32(first);
    ranges[i * 2u + 1u] = i32(count);
  }
  if (i >= params.count) { return; }
  var s = i / max(params.per, 1u);
  var number = i % max(params.per, 1u);
  var begin = s * params.time;
  var end = begin + params.time;
  if (PACKED == 1u) {
    s = ownerOf(i);
    begin = boundary(s);
    end = max(begin, boundary(s + 1u));
    number = i - begin / params.chunk - s;
  }
  let first = min(begin + number * params.chunk, end);
  slots[i * 4u] = i32(first);
  slots[i * 4u + 1u] = i32(min(params.chunk, end - first));
  slots[i * 4u + 2u] = i32(s);
  slots[i * 4u + 3u] = i32(number);
}
