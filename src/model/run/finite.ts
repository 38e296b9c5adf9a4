/** The check that a run's residual stream holds numbers. */
import { NumericError } from "../../core/index.js";
import type { RawTensor } from "../../runtime/index.js";
import { checkPrefix } from "../plan/build.js";
import type { GraphRequest } from "../plan/request.js";

/** Throws at the first row whose metric is not a number; an infinite one is what a probability of 0 gives. */
export function checkMetric(value: RawTensor | undefined, name: string): void {
  const bad = value === undefined ? -1 : Array.from(value.data as Float32Array).findIndex((x) => Number.isNaN(x));
  if (bad < 0) return;
  throw new NumericError({
    where: `model.run: metric "${name}"`,
    got: `NaN in row ${bad}`,
    expected: "a number for each row",
    fix: "Look for a row without a step to count, or for a logarithm or root of a negative number; checks: false returns it.",
  });
}

/** Throws at the first step whose stream is not finite. */
export function checkFinite(values: Readonly<Record<string, RawTensor>>, request: GraphRequest): void {
  const sums = Object.entries(values).filter(([name]) => name.startsWith(checkPrefix));
  const bad = sums
    .map(([name, { data }]) => [Number(name.slice(checkPrefix.length)), Number(data[0])] as const)
    .filter(([, sum]) => !Number.isFinite(sum));
  const first = bad.map(([step]) => step).sort((a, b) => a - b)[0];
  if (first === undefined) return;
  const place =
    first === 0
      ? "the stream before the first layer"
      : `the stream after layer ${request.layers[first - 1] ?? first - 1}`;
  throw new NumericError({
    where: "model.run",
    got: `NaN or infinity in ${place}`,
    expected: "finite numbers",
    fix: "Check the edits at or before this layer and the input; capture the layer with checks: false to look at it.",
  });
}
