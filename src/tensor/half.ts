/**
 * Conversions between float32 or float64 and the two 16-bit float formats, exact and rounded to nearest, ties to even.
 *
 * float16 has 1 sign, 5 exponent and 10 fraction bits; bfloat16 is the upper half of a float32. NaNs stay NaNs with the
 * upper bits of their payload and become quiet; infinities, zeros of both signs and subnormals are kept.
 */

/** Returns the float32 values of raw float16 bits; every float16 is exactly representable. */
export function float16ToFloat32(bits: Uint16Array): Float32Array {
  const words = new Uint32Array(bits.length);
  for (let i = 0; i < bits.length; i++) words[i] = widenFloat16(bits[i] as number);
  return new Float32Array(words.buffer);
}

/** Returns the float32 values of raw bfloat16 bits; every bfloat16 is exactly representable. */
export function bfloat16ToFloat32(bits: Uint16Array): Float32Array {
  const words = new Uint32Array(bits.length);
  for (let i = 0; i < bits.length; i++) words[i] = (bits[i] as number) << 16;
  return new Float32Array(words.buffer);
}

/** Returns raw float16 bits, each value rounded once; beyond ±65519.99 becomes infinite. */
export function toFloat16(values: Float32Array | Float64Array): Uint16Array {
  return narrow(values, narrowToFloat16);
}

/** Returns raw bfloat16 bits, each value rounded once. */
export function toBfloat16(values: Float32Array | Float64Array): Uint16Array {
  return narrow(values, narrowToBfloat16);
}

function narrow(values: Float32Array | Float64Array, narrowWord: (word: number) => number): Uint16Array {
  const bits = new Uint16Array(values.length);
  const words = roundedToOdd(values);
  for (let i = 0; i < bits.length; i++) bits[i] = narrowWord(words[i] as number);
  return bits;
}

/** Returns float32 words; float64 values are rounded to odd, so that rounding again is as good as rounding once. */
function roundedToOdd(values: Float32Array | Float64Array): Uint32Array {
  if (values instanceof Float32Array) return new Uint32Array(values.buffer, values.byteOffset, values.length);
  const singles = Float32Array.from(values);
  const words = new Uint32Array(singles.buffer);
  for (let i = 0; i < values.length; i++) {
    const [exact, rounded] = [values[i] as number, singles[i] as number];
    if (rounded === exact || Number.isNaN(exact)) continue;
    const isTooLarge = Math.abs(rounded) > Math.abs(exact);
    words[i] = ((words[i] as number) - (isTooLarge ? 1 : 0)) | 1;
  }
  return words;
}

function widenFloat16(half: number): number {
  const sign = (half & 0x8000) << 16;
  const exponent = (half >>> 10) & 0x1f;
  const fraction = half & 0x3ff;
  if (exponent === 0x1f) return sign | 0x7f80_0000 | (fraction << 13);
  if (exponent !== 0) return sign | ((exponent + 112) << 23) | (fraction << 13);
  if (fraction === 0) return sign;
  const shift = Math.clz32(fraction) - 21;
  return sign | ((113 - shift) << 23) | (((fraction << shift) & 0x3ff) << 13);
}

function narrowToFloat16(word: number): number {
  const sign = (word >>> 16) & 0x8000;
  const magnitude = word & 0x7fff_ffff;
  if (magnitude > 0x7f80_0000) return sign | 0x7e00 | ((magnitude >>> 13) & 0x3ff);
  if (magnitude >= 0x477f_f000) return sign | 0x7c00;
  if (magnitude < 0x3880_0000) return sign | subnormalFloat16(magnitude);
  const rebiased = magnitude - 0x3800_0000;
  return sign | ((rebiased + 0xfff + ((rebiased >>> 13) & 1)) >>> 13);
}

/** Rounds a magnitude below 2^-14 to units of 2^-24. */
function subnormalFloat16(magnitude: number): number {
  const shift = 126 - (magnitude >>> 23);
  if (shift > 24) return 0;
  const fraction = (magnitude & 0x7f_ffff) | 0x80_0000;
  const quotient = fraction >>> shift;
  const rest = fraction & ((1 << shift) - 1);
  const half = 1 << (shift - 1);
  return rest > half || (rest === half && (quotient & 1) === 1) ? quotient + 1 : quotient;
}

function narrowToBfloat16(word: number): number {
  if ((word & 0x7fff_ffff) > 0x7f80_0000) return (word >>> 16) | 0x40;
  return (word + 0x7fff + ((word >>> 16) & 1)) >>> 16;
}
