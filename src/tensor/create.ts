/** Making tensors: from nested lists, constants, ranges and random numbers; and functions over several tensors. */
import { InputError, type Random } from "../core/index.js";
import { checkedAxes, checkShape, sizeOf } from "./axes.js";
import type { Axes } from "./axis-types.js";
import { cast, filled } from "./cast.js";
import { einsum as einsumViews } from "./contract.js";
import { type DType, type DTypeOfData, dtypeOfData, type Promote, type TensorData } from "./dtype.js";
import { select } from "./elementwise.js";
import { concat as concatViews, stack as stackViews } from "./join.js";
import { type NestedInput, unnest } from "./nested.js";
import { rowMajor } from "./strided.js";
import { Tensor } from "./tensor.js";
import { type TensorOperand, viewOf } from "./tensor-core.js";

/**
 * Returns a tensor of nested lists, a number, or a one-axis typed array (copied).
 *
 * @param axes - One name per axis; `d0, d1, …` when absent.
 * @param dtype - Default: the typed array's own; `"bool"` for booleans; else `"float32"`.
 */
export function tensor<T extends NestedInput | TensorData, B extends Axes = Axes, E extends DType = InputDType<T>>(
  data: T,
  axes?: readonly [...B],
  dtype?: E,
): Tensor<E, B> {
  const where = "tensor";
  if (isTypedArray(data)) {
    const own = dtypeOfData(data, undefined, where);
    const view = rowMajor<DType>(own, data.slice(), [data.length], checkedAxes(axes, 1, where));
    return Tensor.fromStrided(cast(view, dtype ?? own));
  }
  const { shape, values, isBool } = unnest(data, where);
  const view = rowMajor<DType>("float64", Float64Array.from(values), shape, checkedAxes(axes, shape.length, where));
  return Tensor.fromStrided(cast(view, dtype ?? (isBool ? "bool" : "float32")));
}

/** The dtype that `tensor(data)` chooses. */
export type InputDType<T> = T extends TensorData ? DTypeOfData<T> : NestedDType<T>;

type NestedDType<T> = [T] extends [never]
  ? "float32"
  : NestedInput extends T
    ? "float32" | "bool"
    : T extends boolean
      ? "bool"
      : T extends readonly (infer Item)[]
        ? NestedDType<Item>
        : "float32";

function isTypedArray(data: NestedInput | TensorData): data is TensorData {
  return ArrayBuffer.isView(data);
}

/** Returns a tensor of one value everywhere, float32 unless told. */
export function full<B extends Axes = Axes, E extends DType = "float32">(
  shape: readonly number[],
  value: number,
  axes?: readonly [...B],
  dtype?: E,
): Tensor<E, B> {
  return constant(value, { shape, axes, dtype: dtype ?? "float32", where: "full" });
}

/** Returns a tensor of zeros, float32 unless told. */
export function zeros<B extends Axes = Axes, E extends DType = "float32">(
  shape: readonly number[],
  axes?: readonly [...B],
  dtype?: E,
): Tensor<E, B> {
  return constant(0, { shape, axes, dtype: dtype ?? "float32", where: "zeros" });
}

/** Returns a tensor of ones, float32 unless told. */
export function ones<B extends Axes = Axes, E extends DType = "float32">(
  shape: readonly number[],
  axes?: readonly [...B],
  dtype?: E,
): Tensor<E, B> {
  return constant(1, { shape, axes, dtype: dtype ?? "float32", where: "ones" });
}

interface ConstantOptions {
  readonly shape: readonly number[];
  readonly axes: readonly string[] | undefined;
  readonly dtype: DType;
  readonly where: string;
}

function constant<E extends DType, B extends Axes>(value: number, options: ConstantOptions): Tensor<E, B> {
  const { shape, axes, dtype, where } = options;
  checkShape(shape, where);
  const names = checkedAxes(axes, shape.length, where);
  return Tensor.fromStrided(rowMajor(dtype, filled(dtype, shape, value, where), [...shape], names));
}

/** Returns 0, 1, …, count - 1 along one axis, int32 unless told. */
export function arange<X extends string = string, E extends DType = "int32">(
  count: number,
  axis?: X,
  dtype?: E,
): Tensor<E, readonly [X]> {
  checkShape([count], "arange");
  const data = Float64Array.from({ length: count }, (_, i) => i);
  const view = rowMajor<DType>(
    "float64",
    data,
    [count],
    checkedAxes(axis === undefined ? undefined : [axis], 1, "arange"),
  );
  return Tensor.fromStrided(cast(view, dtype ?? "int32"));
}

/** Returns the identity matrix over two named axes. */
export function eye<B extends readonly [string, string]>(size: number, axes: readonly [...B]): Tensor<"float32", B> {
  checkShape([size], "eye");
  const data = new Float32Array(size * size);
  for (let i = 0; i < size; i++) data[i * (size + 1)] = 1;
  return Tensor.fromStrided(rowMajor("float32", data, [size, size], checkedAxes(axes, 2, "eye")));
}

/** Returns samples of the standard normal distribution, float32, drawn in row-major order. */
export function randn<B extends Axes = Axes>(
  shape: readonly number[],
  axes: readonly [...B] | undefined,
  random: Random,
): Tensor<"float32", B> {
  return drawn(shape, axes, () => random.normal(), "randn");
}

/** Returns samples of the uniform distribution on [0, 1), float32, drawn in row-major order. */
export function rand<B extends Axes = Axes>(
  shape: readonly number[],
  axes: readonly [...B] | undefined,
  random: Random,
): Tensor<"float32", B> {
  return drawn(shape, axes, () => Math.min(random.uniform(), largestBelowOne), "rand");
}

/** The largest float32 below 1: rounding must not produce 1. */
const largestBelowOne = 1 - 2 ** -24;

function drawn<B extends Axes>(
  shape: readonly number[],
  axes: readonly string[] | undefined,
  draw: () => number,
  where: string,
): Tensor<"float32", B> {
  checkShape(shape, where);
  const data = Float32Array.from({ length: sizeOf(shape) }, draw);
  return Tensor.fromStrided(rowMajor("float32", data, [...shape], checkedAxes(axes, shape.length, where)));
}

/** Returns the tensors one after the other along an axis that all have; other axes are matched by name. */
export function concat<D extends DType, A extends Axes>(
  tensors: readonly Tensor<D, A>[],
  axis: A[number],
): Tensor<D, A>;
export function concat<D extends DType>(tensors: readonly Tensor<D>[], axis: string): Tensor<D>;
export function concat(tensors: readonly Tensor[], axis: string): Tensor {
  const views = tensors.map((each) => each.strided);
  return Tensor.fromStrided(concatViews(views, axis));
}

/** Returns the tensors side by side along a new axis; `position` 0 (default) is outermost, -1 innermost. */
export function stack<D extends DType>(tensors: readonly Tensor<D>[], axis: string, position = 0): Tensor<D> {
  return Tensor.fromStrided(
    stackViews(
      tensors.map((each) => each.strided),
      axis,
      position,
    ),
  );
}

/** Returns `whenTrue` where `condition` is not zero, else `whenFalse`; all three broadcast by axis name. */
export function where(condition: Tensor, whenTrue: TensorOperand, whenFalse: TensorOperand): Tensor {
  return Tensor.fromStrided(select(condition.strided, viewOf(whenTrue), viewOf(whenFalse)));
}

/**
 * Returns the sum of products over every axis that `output` does not name, with float64 accumulators.
 *
 * @example
 * ```ts
 * const scores = einsum([q, k], ["batch", "head", "queryPos", "keyPos"]);
 * ```
 */
export function einsum<B extends Axes>(tensors: readonly Tensor[], output: readonly [...B]): Tensor<DType, B> {
  return Tensor.fromStrided(
    einsumViews(
      tensors.map((each) => each.strided),
      output,
    ),
  );
}

/** Returns the sum of products over all shared axes: a scalar for two vectors on one axis. */
export function dot(left: Tensor, right: Tensor): Tensor {
  const unshared = [...left.axes, ...right.axes].filter(
    (axis) => !left.axes.includes(axis) || !right.axes.includes(axis),
  );
  return einsum([left, right], unshared);
}

/** Returns the products of every element of `left` with every one of `right`, which share no axis. */
export function outer<D extends DType, E extends DType>(left: Tensor<D>, right: Tensor<E>): Tensor<Promote<D, E>> {
  const shared = left.axes.filter((axis) => right.axes.includes(axis));
  if (shared.length === 0)
    return Tensor.fromStrided(einsumViews([left.strided, right.strided], [...left.axes, ...right.axes]));
  throw new InputError({
    where: "outer",
    got: `the axis "${shared[0]}" in both operands`,
    expected: "operands without a common axis",
    fix: "Rename it in one of them; mul() multiplies along common axes.",
  });
}

/** Tells whether a tensor has the element type `dtype`, narrowing its type. */
export function isDType<E extends DType, A extends Axes>(
  candidate: Tensor<DType, A>,
  dtype: E,
): candidate is Tensor<E, A> {
  return candidate.dtype === dtype;
}
