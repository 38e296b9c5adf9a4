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

/** The indices that a listed selection means on one axis, for spreading a value over them. */
function targets(input: ValueInput, i: number, layout: BatchLayout, size: number): readonly number[] {
  const axis = input.point.axes[i] ?? "";
  const selection = selectionOn(input.select, axis) ?? [];
  if (!positionAxes.includes(axis)) return selectedIndices(selection as AxisSelection, size, input.point.name);
  const shift = axis === "keyPos" ? 0 : layout.past;
  return selectedSlots(selection, layout, 0, input.point.name).map((slot) => slot - shift);
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

/** Copies a value into a larger array whose listed axes are spread over their targets; elsewhere 0 (masked out). */
function spread(
  input: ValueInput,
  shape: readonly number[],
  layout: BatchLayout,
  data: Float32Array | Float64Array,
): Float32Array | Float64Array {
  const { given, isSpread } = input.layout;
  const places = given.map((size, i) => {
    if (isSpread[i] === true) return targets(input, i, layout, shape[i] ?? 1);
    return Array.from({ length: size }, (_, k) => k);
  });
  const out =
    data instanceof Float64Array
      ? new Float64Array(shape.reduce((a, b) => a * b, 1))
      : new Float32Array(shape.reduce((a, b) => a * b, 1));
  data.forEach((value, flat) => {
    let rest = flat;
    let target = 0;
    let stride = 1;
    for (let i = given.length - 1; i >= 0; i--) {
      const size = given[i] ?? 1;
      target += (places[i]?.[rest % size] ?? 0) * stride;
      rest = Math.floor(rest / size);
      stride *= shape[i] ?? 1;
    }
    out[target] = value;
  });
  return out;
}

/** The value that an edit writes, as a graph input. */
export function bindValue(input: ValueInput, layout: BatchLayout, sizes: Sizes, dtype: GraphDType): RawTensor {
  const shape = resolveDims(input.layout.shape, sizes, input.point.name);
  const data = floatData(input.tensor, dtype);
  if (input.layout.isSpread.includes(true)) return { dtype, shape, data: spread(input, shape, layout, data) };
  if (shape.some((size, i) => size !== input.layout.given[i])) throw misfit(input, shape);
  return { dtype, shape, data };
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
