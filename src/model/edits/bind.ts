/** Fills the graph inputs of edits for one run. */
import { InputError, ShapeError } from "../../core/index.js";
import type { Dim, GraphDType } from "../../graph/index.js";
import type { RawTensor } from "../../runtime/index.js";
import type { EditInput } from "./apply.js";
import { positionAxes, selectionOn } from "./axis-words.js";
import { fillMask } from "./mask.js";
import { type BatchLayout, selectedIndices, selectedSlots } from "./positions.js";
import type { AxisSelection } from "./types.js";
import { floatData } from "./values.js";

/** Numbers for the symbolic sizes of one run. */
export type Sizes = Readonly<Record<string, number>>;

function resolveDims(shape: readonly Dim[], sizes: Sizes, where: string): readonly number[] {
  return shape.map((dim) => {
    const size = typeof dim === "number" ? dim : sizes[dim];
    if (size !== undefined) return size;
    throw new ShapeError({
      where,
      got: `the size "${dim}"`,
      expected: "a size of this run",
      fix: "Report this as a bug of limpid.",
    });
  });
}

type MaskInput = Extract<EditInput, { kind: "mask" }>;
type ValueInput = Extract<EditInput, { kind: "value" }>;

/** The mask of a selection, or `undefined` when it touches nothing in this run. */
export function bindMask(input: MaskInput, layout: BatchLayout, sizes: Sizes): RawTensor | undefined {
  const shape = resolveDims(input.shape, sizes, input.point.name);
  const data = fillMask(input.select, input.point, layout, {
    shape,
    sizes: resolveDims(input.point.shape, sizes, input.point.name),
  });
  return data === undefined ? undefined : { dtype: "bool", shape, data };
}

/** The indices that a listed selection means on one axis of one row, for spreading a value over them. */
function targets(input: ValueInput, i: number, { layout, shape }: Run, row: number): readonly number[] {
  const axis = input.point.axes[i] ?? "";
  const selection = selectionOn(input.select, axis) ?? [];
  if (!positionAxes.includes(axis)) return selectedIndices(selection as AxisSelection, shape[i] ?? 1, input.point.name);
  const shift = axis === "keyPos" ? 0 : layout.past;
  return selectedSlots(selection, layout, row, input.point.name).map((slot) => slot - shift);
}

function misfit(input: ValueInput, shape: readonly number[]): ShapeError {
  const { point, layout } = input;
  return new ShapeError({
    where: `edit at ${point.name}`,
    got: `a value of shape [${layout.given.join(", ")}]`,
    expected: `sizes that broadcast to [${point.axes.map((axis, i) => `${axis}=${shape[i] ?? "?"}`).join(", ")}]`,
    fix: "Give a value made from a run of the same batch and length, or select positions.",
  });
}

/** Where a value goes: the layout of the run and the sizes of the graph input. */
interface Run {
  readonly layout: BatchLayout;
  readonly shape: readonly number[];
}

/** Row-major index into an array of `shape`, or `undefined` outside it. */
function flatIndex(index: readonly (number | undefined)[], shape: readonly number[]): number | undefined {
  let flat = 0;
  for (const [i, size] of shape.entries()) {
    const place = index[i] ?? -1;
    if (place < 0 || place >= size) return undefined;
    flat = flat * size + place;
  }
  return flat;
}

/** The index of each element of an array of `shape`, in order. */
function* indices(shape: readonly number[]): Generator<readonly number[]> {
  const total = shape.reduce((a, b) => a * b, 1);
  for (let flat = 0; flat < total; flat++) {
    const index = shape.map(() => 0);
    let rest = flat;
    for (let i = shape.length - 1; i >= 0; i--) {
      const size = shape[i] ?? 1;
      index[i] = rest % size;
      rest = Math.floor(rest / size);
    }
    yield index;
  }
}

/** For one row, where an element of the value lands; `undefined` outside this run. */
function placeIn(input: ValueInput, run: Run, row: number): (index: readonly number[]) => number | undefined {
  const { given, isSpread } = input.layout;
  const batchAxis = input.point.axes.indexOf("batch");
  const isShared = given[batchAxis] === 1;
  const places = isSpread.map((isListed, i) =>
    isListed && given[i] !== run.shape[i] ? targets(input, i, run, row) : undefined,
  );
  const onAxis = (k: number, i: number): number | undefined => {
    const listed = places[i];
    if (isShared && i === batchAxis && run.shape[i] !== 1) return row;
    return listed === undefined ? k : listed[k];
  };
  return (index) => flatIndex(index.map(onAxis), run.shape);
}

/** Copies a value into an array whose listed axes are spread over each row's targets; elsewhere 0 (masked out). */
function spread(input: ValueInput, run: Run, data: ArrayLike<number>, out: Float32Array | Float64Array): void {
  const { given, isSpread } = input.layout;
  const batchAxis = input.point.axes.indexOf("batch");
  const place = Array.from({ length: run.layout.batch }, (_, row) => placeIn(input, run, row));
  const listedRows = isSpread[batchAxis] === true ? targets(input, batchAxis, run, 0) : undefined;
  const all = place.map((_, row) => row).slice(0, run.shape[batchAxis] ?? 1);
  let flat = 0;
  for (const index of indices(given)) {
    const own = index[batchAxis] ?? 0;
    for (const row of given[batchAxis] === 1 ? all : [listedRows?.[own] ?? own]) {
      const target = place[row]?.(index);
      if (target !== undefined) out[target] = data[flat] ?? 0;
    }
    flat++;
  }
}

/** The value that an edit writes, as a graph input. */
export function bindValue(input: ValueInput, layout: BatchLayout, sizes: Sizes, dtype: GraphDType): RawTensor {
  const shape = resolveDims(input.layout.shape, sizes, input.point.name);
  const data = floatData(input.tensor, dtype);
  const { given, isSpread } = input.layout;
  if (shape.some((size, i) => size !== given[i] && isSpread[i] !== true && given[i] !== 1)) throw misfit(input, shape);
  if (shape.every((size, i) => size === given[i])) return { dtype, shape, data };
  const count = shape.reduce((a, b) => a * b, 1);
  const out = dtype === "float64" ? new Float64Array(count) : new Float32Array(count);
  spread(input, { layout, shape }, data, out);
  return { dtype, shape, data: out };
}

/** What happens when a selection touches nothing: an error that names the edit. */
export function touchesNothing(input: MaskInput): InputError {
  return new InputError({
    where: `edit at ${input.point.name}`,
    got: "a selection that touches nothing",
    expected: "at least one element",
    fix: "Check positions, heads and the predicate against the input.",
  });
}
