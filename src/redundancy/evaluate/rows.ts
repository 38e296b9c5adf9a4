/** Sequences of token ids that a model is judged on, in runs of bounded size. */
import { InputError } from "../../core/index.js";
import type { Model, TokenRow } from "../../model/index.js";

/** Sequences of one length that run at once. */
export interface RowGroup {
  readonly length: number;
  /** Place of each row among all rows. */
  readonly places: readonly number[];
  readonly rows: readonly Int32Array[];
}

/** Most tokens of one run. */
const runTokens = 4096;

function checkRow(model: Model, row: TokenRow, index: number, where: string): Int32Array {
  const ids = Int32Array.from(row);
  const { nCtx, dVocab } = model.config;
  const isLong = ids.length >= 2 && ids.length <= nCtx;
  const bad = ids.find((id) => id < 0 || id >= dVocab);
  if (isLong && bad === undefined) return ids;
  throw new InputError({
    where: `${where}: row ${index}`,
    got: isLong ? `the token id ${bad}` : `${ids.length} tokens`,
    expected: isLong ? `ids from 0 to ${dVocab - 1}` : `2 to ${nCtx} tokens, so that one predicts another`,
    fix: isLong ? "Take ids from this model's tokenizer." : "Cut the text into windows of the model's context.",
  });
}

/**
 * Groups sequences by length.
 *
 * @throws InputError for no rows, and for a row that is too short, too long, or has unknown ids.
 */
export function groupRows(model: Model, rows: readonly TokenRow[], where: string): readonly RowGroup[] {
  if (rows.length === 0)
    throw new InputError({ where, got: "no rows", expected: "one sequence or more", fix: "Pass rows of token ids." });
  const checked = rows.map((row, index) => checkRow(model, row, index, where));
  const lengths = [...new Set(checked.map(({ length }) => length))];
  return lengths.flatMap((length) => {
    const places = checked.flatMap((row, place) => (row.length === length ? [place] : []));
    const size = Math.max(1, Math.floor(runTokens / length));
    return Array.from({ length: Math.ceil(places.length / size) }, (_, i) => {
      const own = places.slice(i * size, (i + 1) * size);
      return { length, places: own, rows: own.map((place) => checked[place] ?? new Int32Array(0)) };
    });
  });
}
