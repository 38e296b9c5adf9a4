/** Selecting positions, rows and neurons the way TransformerLens's `Slice` does, by axis name. */
import { InputError } from "../../core/index.js";
import { Tensor } from "../../tensor/index.js";
import { type BatchLayout, selectedIndices, selectedSlots } from "../edits/positions.js";
import type { AxisSelection, PositionSelection } from "../edits/types.js";

/** Whether a selection means one index and so drops its axis. */
export function dropsAxis(selection: PositionSelection): boolean {
  return typeof selection === "number" || selection === "last";
}

function isRange(indices: readonly number[]): boolean {
  return indices.every((index, i) => index === (indices[0] ?? 0) + i);
}

/** Takes listed indices of an axis: one drops the axis where `drops`, a run of them is a view, else a copy. */
function take(tensor: Tensor, axis: string, indices: readonly number[], drops: boolean): Tensor {
  const [first = 0] = indices;
  if (drops) return tensor.at({ [axis]: first });
  if (isRange(indices)) return tensor.at({ [axis]: { from: first, to: first + indices.length } });
  return tensor.at({ [axis]: indices });
}

/**
 * Selects along any axis: an integer drops it, `{ from, to }` keeps a range, a list gathers, `undefined` keeps all.
 *
 * @throws InputError for an index outside the axis.
 */
export function sliceAxis(tensor: Tensor, axis: string, selection: AxisSelection | undefined, where: string): Tensor {
  if (selection === undefined) return tensor;
  const indices = selectedIndices(selection, tensor.sizeOf(axis), where);
  return take(tensor, axis, indices, dropsAxis(selection));
}

/** Slots per row that a selection means; one row when all rows agree. */
function rowSlots(
  tensor: Tensor,
  selection: PositionSelection,
  realSlots: readonly (readonly number[])[] | undefined,
  where: string,
): readonly (readonly number[])[] {
  const pos = tensor.sizeOf("pos");
  const every = [Array.from({ length: pos }, (_, slot) => slot)];
  const layout: BatchLayout = { batch: 1, pos, past: 0, realSlots: realSlots ?? every };
  const rows = layout.realSlots.map((_, row) => selectedSlots(selection, layout, row, where));
  return rows.every((row) => row.join() === rows[0]?.join()) ? rows.slice(0, 1) : rows;
}

function checkCounts(rows: readonly (readonly number[])[], where: string): void {
  const counts = [...new Set(rows.map((row) => row.length))];
  if (counts.length <= 1) return;
  throw new InputError({
    where,
    got: `positions that mean ${counts.join(" or ")} slots per row`,
    expected: "the same number of slots in every row",
    fix: "Rows are padded to unequal lengths: name positions that every row has.",
  });
}

/**
 * Selects along `pos`; positions count the real tokens of each row, so that `-1` is never padding.
 *
 * @param realSlots - Per row, the slots of real tokens; absent when nothing is padded.
 * @returns The tensor without `pos` for an integer or `"last"`, else with as many positions as are selected.
 */
export function slicePositions(
  tensor: Tensor,
  selection: PositionSelection | undefined,
  realSlots: readonly (readonly number[])[] | undefined,
  where: string,
): Tensor {
  if (selection === undefined || !tensor.axes.includes("pos")) return tensor;
  const rows = rowSlots(tensor, selection, realSlots, where);
  checkCounts(rows, where);
  const drops = dropsAxis(selection);
  const [first = []] = rows;
  if (rows.length === 1) return take(tensor, "pos", first, drops);
  const index = Tensor.of(Int32Array.from(rows.flat()), [rows.length, first.length], ["batch", "pos"]);
  return tensor.gather("pos", drops ? index.squeeze("pos") : index);
}
