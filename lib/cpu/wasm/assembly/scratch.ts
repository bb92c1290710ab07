// Scratch memory of the calling thread: every thread has its own instance, hence its own copy of this global.
let address: usize = 0;

/** Sets the address of this instance's scratch region (16-byte aligned). */
export function setScratch(ptr: usize): void {
  address = ptr;
}

// @ts-ignore: decorator
@inline export function scratch(): usize {
  return address;
}
