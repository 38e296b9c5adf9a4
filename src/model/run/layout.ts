/** Which slots of a batch hold real tokens. */
import type { BatchLayout } from "../edits/positions.js";
import type { Batch } from "./input.js";

/** Per row, the slots that hold real tokens. */
export function realSlots({ batch, pos, mask }: Pick<Batch, "batch" | "pos" | "mask">): readonly (readonly number[])[] {
  const all = Array.from({ length: pos }, (_, slot) => slot);
  return Array.from({ length: batch }, (_, row) =>
    mask === undefined ? all : all.filter((slot) => mask[row * pos + slot] === 1),
  );
}

/** The layout of a plain run. */
export function batchLayout(batch: Batch): BatchLayout {
  return { batch: batch.batch, pos: batch.pos, past: 0, realSlots: realSlots(batch) };
}
