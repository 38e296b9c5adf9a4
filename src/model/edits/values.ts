/** The tensors that edits write: found per hook point, aligned to its axes, checked, spread over a selection. */
import { DTypeError, NumericError, ShapeError } from "../../core/index.js";
import type { Dim, GraphDType } from "../../graph/index.js";
import { Tensor } from "../../tensor/index.js";
import { positionAxes, selectionOn } from "./axis-words.js";
import type { PointShape } from "./mask.js";
import { alignedShape, inOrderOf } from "./traced.js";
import type { EditValue, Selection, ValueSource } from "./types.js";

function isSource(value: EditValue): value is ValueSource {
  return typeof value === "object" && !(value instanceof Tensor) && "get" in value && typeof value.get === "function";
}

function asTensor(value: number | readonly number[] | Tensor): Tensor {
  if (value instanceof Tensor) return value;
  if (typeof value === "number") return Tensor.of(Float64Array.of(value), []);
  return Tensor.of(Float64Array.from(value), [value.length]);
}

/** The tensor that an edit writes at one hook point, axes in the point's order. */
export function valueAt(value: EditValue, point: PointShape): Tensor {
  const found = isSource(value) ? value.get(point.name) : value;
  const tensor = inOrderOf(asTensor(found), point.axes);
  checkNumbers(tensor, point);
  return tensor;
}

function checkNumbers(tensor: Tensor, point: PointShape): void {
  if (tensor.dtype !== "float32" && tensor.dtype !== "float64" && tensor.dtype !== "int32") {
    throw new DTypeError({
      where: `edit at ${point.name}`,
      got: `a value of dtype ${tensor.dtype}`,
      expected: "float32 or float64",
      fix: 'Convert it with tensor.cast("float32").',
    });
  }
  const bad = (tensor.data as Float32Array).findIndex((x) => Number.isNaN(x));
  if (bad < 0) return;
  throw new NumericError({
    where: `edit at ${point.name}`,
    got: `NaN at element ${bad} of the value`,
    expected: "numbers",
    fix: "Find where the NaN came from before writing it into the model.",
  });
}

/** How a value's axes lie on a hook point: sizes in the point's order, and which axes are spread over listed indices. */
export interface ValueLayout {
  /** The value's size on each axis of the point; 1 broadcasts. */
  readonly given: readonly number[];
  /** Size of the graph input on each axis: 1, the point's own, or a symbol checked at run time. */
  readonly shape: readonly Dim[];
  /** Per axis, whether the value is spread over the selection's indices. */
  readonly isSpread: readonly boolean[];
}

function misfit(tensor: Tensor, point: PointShape, axis: string, size: Dim): ShapeError {
  return new ShapeError({
    where: `edit at ${point.name}`,
    got: `a value of shape [${tensor.axes.map((a, i) => `${a}=${tensor.shape[i] ?? "?"}`).join(", ")}]`,
    expected: `an "${axis}" axis of size 1 or ${size} in [${point.axes.map((a, i) => `${a}=${point.shape[i] ?? "?"}`).join(", ")}]`,
    fix: "Select or broadcast the value to the hook point's shape.",
  });
}

/**
 * Plans how a value reaches a hook point; symbolic sizes are checked when the graph runs.
 *
 * Under padding a value spread over positions lands on other slots in each row, so it gets a batch axis.
 */
export function valueLayout(tensor: Tensor, point: PointShape, select: Selection, isPadded: boolean): ValueLayout {
  const given = alignedShape(tensor, point.axes);
  const isSpread = point.axes.map((axis, i) => {
    const size = given[i] ?? 1;
    const selection = selectionOn(select, axis);
    return size > 1 && size !== point.shape[i] && Array.isArray(selection) && selection.length === size;
  });
  const isByRow = isPadded && point.axes.some((axis, i) => isSpread[i] === true && positionAxes.includes(axis));
  const shape = point.axes.map((axis, i): Dim => {
    const size = given[i] ?? 1;
    const own = point.shape[i] ?? 1;
    if (isByRow && axis === "batch") return own;
    if (size === 1 || isSpread[i] === true) return size === 1 ? 1 : own;
    if (typeof own === "number" && own !== size) throw misfit(tensor, point, axis, own);
    return own;
  });
  return { given, shape, isSpread };
}

/** The numbers of a tensor in a graph's precision. */
export function floatData(tensor: Tensor, dtype: GraphDType): Float32Array | Float64Array {
  const { data } = tensor;
  if (dtype === "float64") return data instanceof Float64Array ? data : Float64Array.from(data as Float32Array);
  return data instanceof Float32Array ? data : Float32Array.from(data as Float64Array);
}
