/** Moves gradients between shapes. Sizes are read from the graph's inputs where possible, so that no activation is kept. */
import { type Dim, type Node, type Ops, sameShape, type Value } from "../graph/index.js";

/** Returns `x` in another shape of as many elements; sizes of 0 are allowed. */
export function reshapeTo(ops: Ops, x: Value, dims: readonly Dim[], ...like: readonly Value[]): Value {
  if (sameShape(x.shape, dims)) return x;
  return ops.builder.op("Reshape", [x, ops.sizes(dims, ...like, x)], { allowzero: 1 });
}

/** Returns `x` in the shape of `other`. */
export function reshapeLike(ops: Ops, x: Value, other: Value): Value {
  return reshapeTo(ops, x, other.shape, other);
}

/** Returns zeros of the shape of `x`. */
export function zerosLike(ops: Ops, x: Value): Value {
  return ops.full(x.shape, 0, x.dtype, x);
}

/** Returns a number of elements as a scalar of an element type. */
export function countOf(ops: Ops, dim: Dim, target: Value): Value {
  if (typeof dim === "number") return ops.scalar(dim, target.dtype);
  return ops.squeeze(ops.cast(ops.sizes([dim], target), target.dtype), [0]);
}

/** A shape, and a value to read its symbolic sizes from. */
export interface ShapeOf {
  readonly shape: readonly Dim[];
  readonly like: Value;
}

/** Axes of the gradient where the target has size 1 and the gradient more. */
function spreadAxes(gradient: Value, shape: readonly Dim[]): readonly number[] {
  const offset = gradient.shape.length - shape.length;
  return gradient.shape.flatMap((dim, axis) =>
    axis >= offset && shape[axis - offset] === 1 && dim !== 1 ? [axis] : [],
  );
}

/**
 * Sums over all axes but the last: the sum of a product's rows is the product of the summed rows, which spares a product
 * that nothing else reads. A bias that is taken from the input of a linear layer gets its gradient this way.
 */
function sumRows(ops: Ops, x: Value): Value {
  const producer = ops.builder.producer(x);
  const axes = x.shape.slice(1).map((_, axis) => axis);
  if (producer.kind !== "node") return ops.reduceSum(x, axes, false);
  const { op, inputs, attributes } = producer.node;
  const [a, b] = inputs;
  if (op === "Neg" && a !== undefined) return ops.neg(sumRows(ops, a));
  const isProduct = (op === "MatMul" || op === "FusedMatMul") && readsRows(attributes);
  if (!isProduct || a === undefined || b?.shape.length !== 2) return ops.reduceSum(x, axes, false);
  const row = ops.unsqueeze(sumRows(ops, a), [0]);
  const product = op === "MatMul" ? ops.matmul(row, b) : ops.builder.op("FusedMatMul", [row, b], attributes);
  return ops.squeeze(product, [0]);
}

/** Whether a product reads its left operand row by row. */
function readsRows({ transA = 0, transBatchA = 0, transBatchB = 0 }: Node["attributes"]): boolean {
  return transA === 0 && transBatchA === 0 && transBatchB === 0;
}

/**
 * Sums a gradient over the axes that a value of the target's shape was broadcast along.
 *
 * Axes where the gradient has size 1 and the target more are left: {@link spread} fills them.
 */
export function sumTo(ops: Ops, gradient: Value, target: ShapeOf): Value {
  const { shape } = target;
  if (sameShape(gradient.shape, shape)) return gradient;
  const extra = Math.max(0, gradient.shape.length - shape.length);
  const leading = Array.from({ length: extra }, (_, axis) => axis);
  if (shape.length === 1 && extra > 0 && shape[0] === gradient.shape.at(-1)) return sumRows(ops, gradient);
  const inner = spreadAxes(gradient, shape);
  const summed = inner.length === 0 ? gradient : ops.reduceSum(gradient, inner);
  return renamed(ops, extra === 0 ? summed : ops.reduceSum(summed, leading, false), target);
}

/** Sizes that were inferred along different ways may have different names: the target's are right. */
function renamed(ops: Ops, gradient: Value, { shape, like }: ShapeOf): Value {
  const own = shape.slice(shape.length - gradient.shape.length);
  const named = gradient.shape.map((dim, axis) => (dim === 1 ? 1 : (own[axis] ?? 1)));
  return reshapeTo(ops, gradient, named, like);
}

/** Returns a gradient that broadcasts to the shape of `input` in that shape. */
export function spread(ops: Ops, gradient: Value, input: Value): Value {
  return sameShape(gradient.shape, input.shape) ? gradient : ops.expand(gradient, input.shape, input);
}
