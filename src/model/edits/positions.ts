/** From positions as people count them (real tokens) to slots of a padded batch. */
import { InputError } from "../../core/index.js";
import type { AxisSelection, PositionSelection } from "./types.js";

/** The shape of a batch: which slots of each row hold real tokens. */
export interface BatchLayout {
  readonly batch: number;
  /** Query slots of this run. */
  readonly pos: number;
  /** Slots before them that live in a key/value cache. */
  readonly past: number;
  /** Per row, the slots (cached ones included) that hold real tokens, in order. */
  readonly realSlots: readonly (readonly number[])[];
  /** Slots from this one on were made by `generate`; absent in a plain run. */
  readonly generatedFrom?: number;
}

function inRange(index: number, size: number): number | undefined {
  const positive = index < 0 ? size + index : index;
  return positive >= 0 && positive < size ? positive : undefined;
}

function outOfRange(where: string, index: number, size: number): InputError {
  return new InputError({
    where,
    got: `index ${index}`,
    expected: `an index from ${-size} to ${size - 1}`,
    fix: "Check the selection against the shape of the hook point.",
  });
}

function listIndices(list: readonly number[], size: number, where: string): readonly number[] {
  return list.map((index) => {
    const found = Number.isInteger(index) ? inRange(index, size) : undefined;
    if (found === undefined) throw outOfRange(where, index, size);
    return found;
  });
}

function isList(selection: AxisSelection): selection is readonly number[] {
  return Array.isArray(selection);
}

/** The indices of an axis of `size` that a selection means, in the order given. */
export function selectedIndices(selection: AxisSelection, size: number, where: string): readonly number[] {
  if (typeof selection === "number") return listIndices([selection], size, where);
  if (isList(selection)) return listIndices(selection, size, where);
  const all = Array.from({ length: size }, (_, i) => i);
  if (typeof selection === "function") return all.filter((i) => selection(i));
  const { from = 0, to = size } = selection;
  const [start, end] = [from < 0 ? size + from : from, to < 0 ? size + to : to];
  return all.filter((i) => i >= start && i < end);
}

function generatedSlots(layout: BatchLayout, slots: readonly number[], where: string): readonly number[] {
  const { generatedFrom } = layout;
  if (generatedFrom !== undefined) return slots.filter((slot) => slot >= generatedFrom);
  throw new InputError({
    where,
    got: 'the position "generated" in a plain run',
    expected: "generate(), which makes positions",
    fix: 'Use generate(), or name positions such as "last".',
  });
}

/** The slots of one row that a position selection means; slots count from the first cached one. */
export function selectedSlots(
  selection: PositionSelection,
  layout: BatchLayout,
  row: number,
  where: string,
): readonly number[] {
  const slots = layout.realSlots[row] ?? [];
  if (selection === "last") return slots.slice(-1);
  if (selection === "generated") return generatedSlots(layout, slots, where);
  const known = layout.generatedFrom === undefined ? selection : soFar(selection, slots.length);
  return selectedIndices(known, slots.length, where).map((index) => slots[index] ?? -1);
}

/** The part of a selection that exists in this step of a generation; later steps make the rest. */
function soFar(selection: AxisSelection, count: number): AxisSelection {
  const exists = (index: number): boolean => !(index >= count || index < -count);
  if (typeof selection === "number") return exists(selection) ? selection : [];
  return isList(selection) ? selection.filter(exists) : selection;
}
