/**
 * The error function in float64, which the runtime has no kernel for.
 *
 * Rational approximations of W. J. Cody, "Rational Chebyshev approximations for the error function", Mathematics of
 * Computation 23 (1969), 631-637, with the coefficients of his CALERF:
 * 1. `|x| <= 0.46875`: `erf(x) = x P(x^2) / Q(x^2)`.
 * 2. beyond: `erf(x) = sign(x) (1 - exp(-x^2) R(|x|) / S(|x|))`. His third interval (`|x| > 4`) serves the relative
 *    accuracy of `erfc`; here the second one is continued to 6, where erf is 1 in float64.
 *
 * Both branches see limited arguments, so that neither makes infinities and gradients through the unused one are 0.
 */
import type { Value } from "../ir.js";
import type { ElementwiseOps } from "./elementwise.js";

const threshold = 0.46875;
const saturation = 6;

/** Coefficients from the highest power down. */
const smallNumerator: readonly number[] = [
  1.85777706184603153e-1, 3.1611237438705656, 1.13864154151050156e2, 3.77485237685302021e2, 3.20937758913846947e3,
];
const smallDenominator: readonly number[] = [
  1, 2.36012909523441209e1, 2.44024637934444173e2, 1.28261652607737228e3, 2.84423683343917062e3,
];
const largeNumerator: readonly number[] = [
  2.15311535474403846e-8, 5.64188496988670089e-1, 8.88314979438837594, 6.61191906371416295e1, 2.98635138197400131e2,
  8.8195222124176909e2, 1.71204761263407058e3, 2.05107837782607147e3, 1.23033935479799725e3,
];
const largeDenominator: readonly number[] = [
  1, 1.57449261107098347e1, 1.17693950891312499e2, 5.37181101862009858e2, 1.62138957456669019e3, 3.29079923573345963e3,
  4.36261909014324716e3, 3.43936767414372164e3, 1.23033935480374942e3,
];

/** Evaluates a polynomial by Horner's rule. */
function polynomial(ops: ElementwiseOps, x: Value, coefficients: readonly number[]): Value {
  const [highest = 0, next = 0, ...others] = coefficients;
  const start = highest === 1 ? x : ops.mul(x, highest);
  return others.reduce((sum, coefficient) => ops.add(ops.mul(sum, x), coefficient), ops.add(start, next));
}

/** Returns the error function of a float64 value; absolute error at most 1e-15. */
export function erfFloat64(ops: ElementwiseOps, x: Value): Value {
  const near = ops.clip(x, -threshold, threshold);
  const square = ops.mul(near, near);
  const small = ops.div(
    ops.mul(near, polynomial(ops, square, smallNumerator)),
    polynomial(ops, square, smallDenominator),
  );
  const size = ops.abs(x);
  const far = ops.clip(size, threshold, saturation);
  const ratio = ops.div(polynomial(ops, far, largeNumerator), polynomial(ops, far, largeDenominator));
  const rest = ops.mul(ops.exp(ops.neg(ops.mul(far, far))), ratio);
  const large = ops.mul(ops.sign(x), ops.sub(1, rest));
  return ops.where(ops.lessOrEqual(size, threshold), small, large);
}
