/** The check that activations are numbers. */
import { NumericError } from "../../core/index.js";

/**
 * Throws at the first vector that holds NaN or infinity.
 *
 * @param placeOf - Says where vector `index` comes from.
 */
export function checkVectors(
  hook: string,
  data: Float32Array,
  placeOf: (index: number) => string,
  width: number,
): void {
  let sum = 0;
  // NaN and infinity stay in a sum of zeros.
  for (let i = 0; i < data.length; i++) sum += (data[i] ?? 0) * 0;
  if (sum === 0) return;
  const bad = data.findIndex((value) => !Number.isFinite(value));
  throw new NumericError({
    where: `activations of ${hook}, ${placeOf(Math.floor(bad / width))}`,
    got: `${data[bad] ?? Number.NaN} in dimension ${bad % width}`,
    expected: "finite numbers",
    fix: "Look at this input with model.run(…, { capture, checks: false }); check edits and weights before the hook point.",
  });
}
