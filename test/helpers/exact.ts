/** Functions in fixed-point arithmetic of 256 bits: oracles that owe nothing to floating point. */

const bits = 256n;
const one = 1n << bits;

/** Returns a finite float64 as a fixed-point number; exact for |x| >= 2^-200. */
export function toFixed(x: number): bigint {
  let [scaled, exponent] = [x, 0n];
  while (!Number.isInteger(scaled)) {
    scaled *= 2;
    exponent += 1n;
  }
  return (BigInt(scaled) << bits) >> exponent;
}

/** Returns the nearest float64, up to its last bit. */
export function fromFixed(x: bigint): number {
  return Number(x >> (bits - 120n)) / 2 ** 120;
}

function times(a: bigint, b: bigint): bigint {
  return (a * b) >> bits;
}

/** `exp(x)` by its series. */
export function expFixed(x: bigint): bigint {
  let [sum, term] = [0n, one];
  for (let n = 1n; term !== 0n && n < 2000n; n++) {
    sum += term;
    term = times(term, x) / n;
  }
  return sum;
}

/** `pi` by Machin's formula. */
function piFixed(): bigint {
  const arctan = (inverse: bigint): bigint => {
    let [sum, power, sign] = [0n, one / inverse, 1n];
    for (let n = 1n; power !== 0n; n += 2n) {
      sum += (sign * power) / n;
      power /= inverse * inverse;
      sign = -sign;
    }
    return sum;
  };
  return 4n * (4n * arctan(5n) - arctan(239n));
}

function sqrtFixed(x: bigint): bigint {
  let root = one;
  for (let step = 0; step < 200; step++) root = (root + (x << bits) / root) >> 1n;
  return root;
}

/** Returns the error function by its Maclaurin series; |x| up to 7. */
export function exactErf(x: number): number {
  const value = toFixed(x);
  const square = times(value, value);
  let [sum, term] = [0n, value];
  for (let n = 0n; term !== 0n && n < 1000n; n++) {
    sum += term / (2n * n + 1n);
    term = -times(term, square) / (n + 1n);
  }
  return fromFixed((2n * sum * one) / sqrtFixed(piFixed()));
}

/** Returns `log(1 + exp(x))` by Newton's method on `exp`; |x| up to 40. */
export function exactSoftplus(x: number): number {
  const target = one + expFixed(toFixed(x));
  let guess = toFixed(Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x))));
  for (let step = 0; step < 4; step++) guess += (target * one) / expFixed(guess) - one;
  return fromFixed(guess);
}
