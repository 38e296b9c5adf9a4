/** Which elements of a hook point an edit touches, as a boolean array that broadcasts to the value. */
import { AxisError } from "../../core/index.js";
import type { Dim } from "../../graph/index.js";
import { axisWord, positionAxes, selectionOn } from "./axis-words.js";
import { type BatchLayout, selectedIndices, selectedSlots } from "./positions.js";
import type { AxisSelection, ElementIndex, PositionSelection, Selection } from "./types.js";

/** A hook point's axes and sizes; position and batch sizes are symbolic until a run. */
export interface PointShape {
  readonly name: string;
  readonly axes: readonly string[];
  readonly shape: readonly Dim[];
}

const vectorAxes = ["dModel", "dHead", "dVocabOut"];

/** Refuses a selection that names an axis which the hook point does not have. */
export function checkSelection(select: Selection, point: PointShape, where: string): void {
  const known = new Set<string>([...point.axes.map((axis) => axisWord(axis)), "where", "steps"]);
  const surplus = Object.entries(select).find(([word, value]) => value !== undefined && !known.has(word));
  if (surplus === undefined) return;
  throw new AxisError({
    where,
    got: `a selection by "${surplus[0]}" at ${point.name}`,
    expected: `one of ${[...known].join(", ")} (axes ${point.axes.join(", ")})`,
    fix: "Leave it out, or edit a hook point that has this axis.",
  });
}

/** Whether any element is left out: only then does the graph need a mask. */
export function isPartial(select: Selection): boolean {
  return Object.entries(select).some(([word, value]) => word !== "steps" && value !== undefined);
}

/** Sizes of a mask input: 1 where an axis is not selected on, else the axis's own size. */
export function maskShape(select: Selection, point: PointShape, isPadded: boolean): readonly Dim[] {
  return point.axes.map((axis, i) => {
    const size = point.shape[i] ?? 1;
    if (select.where !== undefined && !vectorAxes.includes(axis)) return size;
    if (selectionOn(select, axis) !== undefined) return size;
    const byRow =
      isPadded &&
      axis === "batch" &&
      point.axes.some((a) => positionAxes.includes(a) && selectionOn(select, a) !== undefined);
    return byRow ? size : 1;
  });
}

/** One axis of a hook point with its selection. */
interface SelectedAxis {
  readonly axis: string;
  readonly selection: PositionSelection;
  readonly size: number;
  readonly where: string;
}

/** Per row, the indices of one axis that are selected. */
function rowIndices({ axis, selection, size, where }: SelectedAxis, layout: BatchLayout): RowTest {
  if (!positionAxes.includes(axis)) {
    const all = new Set(selectedIndices(selection as AxisSelection, size, where));
    return () => all;
  }
  const shift = axis === "keyPos" ? 0 : layout.past;
  return (row) => new Set(selectedSlots(selection, layout, row, where).map((slot) => slot - shift));
}

function strides(shape: readonly number[]): readonly number[] {
  const result = shape.map(() => 1);
  for (let i = shape.length - 2; i >= 0; i--) result[i] = (result[i + 1] ?? 1) * (shape[i + 1] ?? 1);
  return result;
}

type RowTest = (row: number) => ReadonlySet<number>;

interface AxisTest {
  readonly axis: string;
  readonly test?: RowTest;
}

function axisTests(
  select: Selection,
  point: PointShape,
  layout: BatchLayout,
  sizes: readonly number[],
): readonly AxisTest[] {
  return point.axes.map((axis, i) => {
    const selection = selectionOn(select, axis);
    if (selection === undefined) return { axis };
    const where = `edit at ${point.name}: ${axisWord(axis)}`;
    return { axis, test: rowIndices({ axis, selection, size: sizes[i] ?? 1, where }, layout) };
  });
}

/** Calls `visit` with every index of a shape. */
function forEachIndex(shape: readonly number[], visit: (index: readonly number[], flat: number) => void): void {
  const total = shape.reduce((a, b) => a * b, 1);
  const step = strides(shape);
  for (let flat = 0; flat < total; flat++) {
    visit(
      shape.map((size, i) => Math.floor(flat / (step[i] ?? 1)) % size),
      flat,
    );
  }
}

function elementIndex(axes: readonly string[], index: readonly number[]): ElementIndex {
  return Object.fromEntries(axes.map((axis, i) => [axisWord(axis), index[i] ?? 0]));
}

/**
 * Fills the mask of an edit for one run.
 *
 * @returns The mask, or `undefined` when nothing is selected.
 */
export function fillMask(
  select: Selection,
  point: PointShape,
  layout: BatchLayout,
  dims: { readonly shape: readonly number[]; readonly sizes: readonly number[] },
): Uint8Array | undefined {
  const tests = axisTests(select, point, layout, dims.sizes);
  const rowAxis = point.axes.indexOf("batch");
  const perRow = new Map<string, ReadonlySet<number>>();
  const allowed = (test: RowTest, axis: string, row: number): ReadonlySet<number> => {
    const key = `${axis}:${row}`;
    const known = perRow.get(key) ?? test(row);
    perRow.set(key, known);
    return known;
  };
  const mask = new Uint8Array(dims.shape.reduce((a, b) => a * b, 1));
  forEachIndex(dims.shape, (index, flat) => {
    const row = index[rowAxis] ?? 0;
    const isIn = tests.every(({ axis, test }, i) => test === undefined || allowed(test, axis, row).has(index[i] ?? 0));
    mask[flat] = isIn && (select.where?.(elementIndex(point.axes, index)) ?? true) ? 1 : 0;
  });
  return mask.includes(1) ? mask : undefined;
}
