/**
 * What attention patterns say about heads, on rows that are one block of random ids twice.
 *
 * Previous-token score: the mean weight from a token to the one before it, over the first copy. Induction score: the mean
 * weight from a token of the second copy to the one after its first occurrence (Olsson et al. 2022).
 */
import { at, type Model } from "../../src/model/index.js";
import { context, heldOutRows } from "./recipe.js";

/** Scores of every head, `[layer][head]`, and the loss on the second copy, nats per token. */
export interface Scores {
  readonly previous: readonly (readonly number[])[];
  readonly induction: readonly (readonly number[])[];
  readonly loss: number;
}

/** Means of one head over the rows: `[queryPos][keyPos]`. */
type Pattern = readonly (readonly number[])[];

const period = context / 2;

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** Mean weight from each query to the key `distance` before it. */
function along(pattern: Pattern, [from, to]: readonly [number, number], distance: number): number {
  const queries = Array.from({ length: to - from }, (_, i) => from + i);
  return mean(queries.map((query) => pattern[query]?.[query - distance] ?? Number.NaN));
}

/** Measures a model on the held-out rows. */
export async function measure(model: Model): Promise<Scores> {
  const rows = heldOutRows().rows.map((row) => row.slice(0, context));
  const run = await model.run(rows, { capture: at.pattern("all"), loss: true, logits: "none" });
  const heads = Array.from({ length: model.config.nLayers }, (_, layer) =>
    run.cache
      .get("pattern", layer)
      .mean("batch")
      .unbind("head")
      .map((head) => head.toArray() as Pattern),
  );
  const score = (queries: readonly [number, number], distance: number): number[][] =>
    heads.map((layer) => layer.map((pattern) => along(pattern, queries, distance)));
  return {
    previous: score([1, period], 1),
    induction: score([period, context], period - 1),
    loss: run.lossPerToken
      .at({ pos: { from: period } })
      .mean()
      .item(),
  };
}
