/** Which prompt each row of a run is. */
import { InputError, ShapeError } from "../../core/index.js";
import type { Metric } from "./metric.js";

function misfit(where: string, metric: Metric, batch: number): InputError {
  return new InputError({
    where,
    got: `${batch} rows for a metric "${metric.name}" of ${metric.prompts ?? 0} prompts`,
    expected: "as many rows as prompts, or metricRows",
    fix: "Pass metricRows: which prompt each row is, such as [0, 0, 1, 1].",
  });
}

/**
 * Returns the prompt of each row.
 *
 * @param where - Names the call in messages.
 * @throws InputError when rows and prompts differ in number without a mapping, or the mapping names no prompt.
 */
export function promptRows(
  where: string,
  metric: Metric,
  batch: number,
  rows: readonly number[] | undefined,
): readonly number[] {
  if (rows === undefined) {
    if (metric.prompts !== undefined && metric.prompts !== batch) throw misfit(where, metric, batch);
    return Array.from({ length: batch }, (_, row) => row);
  }
  if (rows.length !== batch) {
    throw new ShapeError({
      where: `${where}: metricRows`,
      got: `${rows.length} numbers`,
      expected: `one for each of ${batch} rows`,
      fix: "Name the prompt of every row.",
    });
  }
  const count = metric.prompts ?? Number.POSITIVE_INFINITY;
  const bad = rows.find((row) => !(Number.isInteger(row) && row >= 0 && row < count));
  if (bad === undefined) return rows;
  throw new InputError({
    where: `${where}: metricRows`,
    got: String(bad),
    expected: metric.prompts === undefined ? "integers from 0" : `integers from 0 to ${metric.prompts - 1}`,
    fix: "Count prompts from 0, in the order in which the metric was given them.",
  });
}
