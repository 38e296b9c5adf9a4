/** Which tokens of a batch count, and where they stand. */
import { TokenError } from "../../core/index.js";
import type { Batch } from "../run/input.js";

/** Which tokens are left out of every statistic; padding always is. */
export interface ExcludeOptions {
  /** Leaves out the first real token of every row, where many models carry outsized activations. */
  readonly excludeFirst?: boolean;
  /** Leaves out tokens with these ids. */
  readonly excludeTokens?: readonly number[];
  /** Leaves out the tokenizer's control tokens (BOS, EOS, …). */
  readonly excludeSpecial?: boolean;
}

/** The tokens of one batch that count, in order of rows and positions. */
export interface CountedTokens {
  readonly count: number;
  /** Index of the token in the flattened `[batch, pos]` grid. */
  readonly slots: Int32Array;
  /** Number of the token's row in the whole run, from 0. */
  readonly rows: Int32Array;
  /** Position among the real tokens of the row, from 0. */
  readonly positions: Int32Array;
  /** Token id; −1 where the input is not tokens. */
  readonly ids: Int32Array;
  /** Number of the batch's first row in the whole run. */
  readonly firstRow: number;
  /** Per row of the batch, the ids of its real tokens; empty where the input is not tokens. */
  readonly rowIds: readonly Int32Array[];
}

/** Tells whether a token id is left out. */
export type IsExcluded = (id: number) => boolean;

/** Returns the counted tokens of a batch; at most `limit` of them. */
export function countTokens(
  batch: Batch,
  rules: { readonly isExcluded: IsExcluded; readonly excludeFirst: boolean },
  { firstRow, limit }: { readonly firstRow: number; readonly limit: number },
): CountedTokens {
  const { tokens, mask, pos } = batch;
  const slots: number[] = [];
  const positions: number[] = [];
  for (let row = 0; row < batch.batch; row++) {
    let position = 0;
    for (let slot = row * pos; slot < (row + 1) * pos; slot++) {
      if (mask !== undefined && mask[slot] === 0) continue;
      const isFirst = rules.excludeFirst && position === 0;
      if (!isFirst && !(tokens !== undefined && rules.isExcluded(tokens[slot] ?? 0)) && slots.length < limit) {
        slots.push(slot);
        positions.push(position);
      }
      position += 1;
    }
  }
  return {
    count: slots.length,
    slots: Int32Array.from(slots),
    rows: Int32Array.from(slots, (slot) => firstRow + Math.floor(slot / pos)),
    positions: Int32Array.from(positions),
    ids: Int32Array.from(slots, (slot) => tokens?.[slot] ?? -1),
    firstRow,
    rowIds: rowIds(batch),
  };
}

/** Returns the test of token ids that the options mean. */
export function exclusion(options: ExcludeOptions, isSpecial: IsExcluded | undefined): IsExcluded {
  const ids = new Set(options.excludeTokens);
  if (options.excludeSpecial !== true) return (id) => ids.has(id);
  if (isSpecial !== undefined) return (id) => ids.has(id) || isSpecial(id);
  throw new TokenError({
    where: "model.over: excludeSpecial",
    got: "true, for a model without a tokenizer",
    expected: "a model whose tokenizer knows its control tokens",
    fix: "Name the ids with excludeTokens.",
  });
}

/** Returns the number of next-token steps between two real tokens. */
export function lossSteps({ batch, pos, mask }: Batch): number {
  if (mask === undefined) return batch * (pos - 1);
  let steps = 0;
  for (let slot = 0; slot < batch * pos; slot++) {
    if (slot % pos !== pos - 1 && mask[slot] === 1 && mask[slot + 1] === 1) steps += 1;
  }
  return steps;
}

function rowIds({ tokens, mask, batch, pos }: Batch): readonly Int32Array[] {
  if (tokens === undefined) return [];
  return Array.from({ length: batch }, (_, row) => {
    const ids = tokens.subarray(row * pos, (row + 1) * pos);
    return mask === undefined ? ids : ids.filter((_id, p) => mask[row * pos + p] === 1);
  });
}
