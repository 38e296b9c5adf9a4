/** From logits to what a model expected at every position of a text. */
import { InputError, ShapeError } from "../core/index.js";
import { checkedTopK, type TokenPrediction } from "./views/token-log-probs.js";

/** Logits of one text: `[pos, dVocab]` as a list of rows, or flat with its shape, such as a tensor. */
export type PositionLogits =
  | readonly ArrayLike<number>[]
  | { readonly shape: readonly number[]; readonly data: ArrayLike<bigint | number>; readonly axes?: readonly string[] };

/**
 * Returns what a model expected at every position: of the token that came next, and of the `topK` best.
 *
 * 1. Log-probabilities are logits minus their log-sum-exp, summed in float64; log-probabilities given as logits stay.
 * 2. The rank of a token is one more than the number of tokens with a larger logit.
 *
 * @param logits - `[pos, dVocab]`.
 * @param ids - Token ids, `[pos]`; the prediction at position i is about `ids[i + 1]`.
 * @param tokenText - Returns the text of a token id.
 * @returns One prediction a position; the last one has no token that came.
 * @throws ShapeError when logits are not `[pos, dVocab]`; InputError for an id outside the vocabulary.
 */
export function tokenPredictions(
  logits: PositionLogits,
  ids: ArrayLike<number>,
  tokenText: (id: number) => string,
  options: { readonly topK?: number } = {},
): readonly TokenPrediction[] {
  const topK = checkedTopK("viz.tokenPredictions", options.topK ?? 10);
  const rows = rowsOf(logits, ids.length);
  return rows.map((row, position) => {
    const shift = logSumExp(row);
    const top = topIds(row, topK).map((id) => ({ token: tokenText(id), logProb: (row[id] ?? Number.NaN) - shift }));
    const next = ids[position + 1];
    if (next === undefined) return { top };
    const own = row[next];
    if (own === undefined || !Number.isInteger(next)) throw unknownId(position + 1, next, row.length);
    let rank = 1;
    for (let id = 0; id < row.length; id++) if ((row[id] ?? 0) > own) rank += 1;
    return { logProb: own - shift, rank, top };
  });
}

function unknownId(position: number, id: number, size: number): InputError {
  return new InputError({
    where: `viz.tokenPredictions: ids[${position}]`,
    got: String(id),
    expected: `a token id from 0 to ${size - 1}`,
    fix: "Give the ids that the logits were computed from.",
  });
}

function rowsOf(logits: PositionLogits, count: number): readonly ArrayLike<number>[] {
  const rows = "shape" in logits ? rowsOfTensor(logits) : logits;
  const width = rows[0]?.length ?? 0;
  const uneven = rows.findIndex((row) => row.length !== width);
  if (rows.length === count && width > 0 && uneven < 0) return rows;
  throw new ShapeError({
    where: `viz.tokenPredictions: logits${uneven < 0 ? "" : `[${uneven}]`}`,
    got: uneven < 0 ? `[${rows.length}, ${width}]` : `a row of ${rows[uneven]?.length ?? 0}`,
    expected: uneven < 0 ? `[pos=${count}, dVocab], one row for each id` : `rows of ${width}, like the first`,
    fix: 'Run the model with { logits: "all" } and pick one prompt.',
  });
}

/** A batch of one is dropped. */
function rowsOfTensor({
  shape,
  data,
  axes,
}: Exclude<PositionLogits, readonly unknown[]>): readonly ArrayLike<number>[] {
  const sizes = shape.length === 3 && shape[0] === 1 ? shape.slice(1) : shape;
  const [positions = 0, width = 0] = sizes;
  if (sizes.length !== 2 || data.length !== positions * width) {
    const named = shape.map((size, i) => (axes?.[i] === undefined ? String(size) : `${axes[i]}=${size}`));
    throw new ShapeError({
      where: "viz.tokenPredictions: logits",
      got: `[${named.join(", ")}], ${data.length} numbers`,
      expected: "[pos, dVocab]",
      fix: "Pick one prompt: logits.at({ batch: 0 }).",
    });
  }
  return Array.from({ length: positions }, (_, position) =>
    Float64Array.from({ length: width }, (_value, id) => Number(data[position * width + id])),
  );
}

/** log Σ exp xᵢ = m + log Σ exp(xᵢ − m), m = max xᵢ. */
function logSumExp(row: ArrayLike<number>): number {
  let largest = Number.NEGATIVE_INFINITY;
  for (let i = 0; i < row.length; i++) largest = Math.max(largest, row[i] ?? 0);
  let sum = 0;
  for (let i = 0; i < row.length; i++) sum += Math.exp((row[i] ?? 0) - largest);
  return largest + Math.log(sum);
}

/** Ids of the largest logits, largest first; ties by id. */
function topIds(row: ArrayLike<number>, count: number): readonly number[] {
  const kept: number[] = [];
  const logit = (id: number | undefined): number => row[id ?? -1] ?? Number.NEGATIVE_INFINITY;
  for (let id = 0; id < row.length && count > 0; id++) {
    const value = logit(id);
    if (Number.isNaN(value) || (kept.length === count && value <= logit(kept[count - 1]))) continue;
    const at = kept.findIndex((other) => logit(other) < value);
    kept.splice(at < 0 ? kept.length : at, 0, id);
    if (kept.length > count) kept.pop();
  }
  return kept;
}
