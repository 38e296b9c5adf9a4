/** Bits packed eight to a byte, the lowest first. */

/** Returns room for `count` bits, all 0. */
export function emptyBits(count: number): Uint8Array {
  return new Uint8Array(Math.ceil(count / 8));
}

/** Returns `count` bits, all 1; what is left of the last byte stays 0, so that equal masks have equal bytes. */
export function fullBits(count: number): Uint8Array {
  const bits = emptyBits(count).fill(255);
  const rest = count % 8;
  if (rest > 0) bits[bits.length - 1] = (1 << rest) - 1;
  return bits;
}

/** Tells whether a bit is set. */
export function hasBit(bits: Uint8Array, index: number): boolean {
  return (((bits[index >> 3] ?? 0) >> (index & 7)) & 1) === 1;
}

/** Sets or clears a bit in place. */
export function putBit(bits: Uint8Array, index: number, on: boolean): void {
  const byte = bits[index >> 3] ?? 0;
  bits[index >> 3] = on ? byte | (1 << (index & 7)) : byte & ~(1 << (index & 7));
}

/** Returns how many bits are set. */
export function countBits(bits: Uint8Array): number {
  let count = 0;
  for (let byte of bits) for (; byte !== 0; byte &= byte - 1) count++;
  return count;
}

/** Returns the bits of a test over `count` indices. */
export function bitsWhere(count: number, test: (index: number) => boolean): Uint8Array {
  const bits = emptyBits(count);
  for (let i = 0; i < count; i++) if (test(i)) putBit(bits, i, true);
  return bits;
}
