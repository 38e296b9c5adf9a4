/** A value inside a graph that user code computes with: every method adds nodes, nothing runs yet. */
import { AxisError, nearestNames, ShapeError } from "../../core/index.js";
import type { Ops, Value } from "../../graph/index.js";
import { Tensor } from "../../tensor/index.js";

/** Anything a traced operation takes besides itself. Tensors align by axis name, then from the right. */
export type TracedOperand = Traced | Tensor | number;

/**
 * A hook point's value as `edit.map` passes it: shape and axes are known, numbers are not.
 *
 * Methods mirror {@link Tensor}; the result must have the shape of the hook point.
 */
export class Traced {
  readonly #ops: Ops;
  /** Axis names, outermost first. */
  readonly axes: readonly string[];
  /** @internal The graph value. */
  readonly value: Value;

  /** @internal */
  constructor(ops: Ops, value: Value, axes: readonly string[]) {
    this.#ops = ops;
    this.value = value;
    this.axes = axes;
  }

  #with(value: Value): Traced {
    return new Traced(this.#ops, value, this.axes);
  }

  #operand(other: TracedOperand): Value {
    if (other instanceof Traced) return other.value;
    const { builder: g } = this.#ops;
    const { dtype } = this.value;
    if (typeof other === "number") return g.constant(other, dtype, []);
    const tensor = inOrderOf(other, this.axes);
    const data = dtype === "float64" ? Float64Array.from(numbers(tensor)) : Float32Array.from(numbers(tensor));
    return g.constant(data, dtype, alignedShape(tensor, this.axes));
  }

  #axis(name: string): number {
    const index = this.axes.indexOf(name);
    if (index >= 0) return index;
    throw new AxisError({
      where: "edit.map",
      got: `the axis "${name}"`,
      expected: `one of ${this.axes.join(", ")}`,
      fix: `Nearest: ${nearestNames(name, this.axes).join(", ")}.`,
    });
  }

  /** Sum with another value, element by element. */
  add(other: TracedOperand): Traced {
    return this.#with(this.#ops.add(this.value, this.#operand(other)));
  }
  /** Difference. */
  sub(other: TracedOperand): Traced {
    return this.#with(this.#ops.sub(this.value, this.#operand(other)));
  }
  /** Product, element by element. */
  mul(other: TracedOperand): Traced {
    return this.#with(this.#ops.mul(this.value, this.#operand(other)));
  }
  /** Quotient. */
  div(other: TracedOperand): Traced {
    return this.#with(this.#ops.div(this.value, this.#operand(other)));
  }
  /** The larger of the two. */
  maximum(other: TracedOperand): Traced {
    return this.#with(this.#ops.maximum(this.value, this.#operand(other)));
  }
  /** The smaller of the two. */
  minimum(other: TracedOperand): Traced {
    return this.#with(this.#ops.minimum(this.value, this.#operand(other)));
  }
  /** Negation. */
  neg(): Traced {
    return this.#with(this.#ops.neg(this.value));
  }
  /** Absolute value. */
  abs(): Traced {
    return this.#with(this.#ops.abs(this.value));
  }
  /** Exponential. */
  exp(): Traced {
    return this.#with(this.#ops.exp(this.value));
  }
  /** Natural logarithm. */
  log(): Traced {
    return this.#with(this.#ops.log(this.value));
  }
  /** Square root. */
  sqrt(): Traced {
    return this.#with(this.#ops.sqrt(this.value));
  }
  /** Hyperbolic tangent. */
  tanh(): Traced {
    return this.#with(this.#ops.tanh(this.value));
  }
  /** Logistic function. */
  sigmoid(): Traced {
    return this.#with(this.#ops.sigmoid(this.value));
  }
  /** Positive part. */
  relu(): Traced {
    return this.#with(this.#ops.relu(this.value));
  }
  /** Sum over an axis, kept with size 1. */
  sum(axis: string): Traced {
    return this.#with(this.#ops.reduceSum(this.value, [this.#axis(axis)]));
  }
  /** Mean over an axis, kept with size 1. */
  mean(axis: string): Traced {
    return this.#with(this.#ops.reduceMean(this.value, [this.#axis(axis)]));
  }
  /** Euclidean norm over an axis, kept with size 1. */
  norm(axis: string): Traced {
    return this.mul(this).sum(axis).sqrt();
  }
  /** Softmax over an axis. */
  softmax(axis: string): Traced {
    return this.#with(this.#ops.softmax(this.value, this.#axis(axis)));
  }
  /** Logarithm of the softmax over an axis. */
  logSoftmax(axis: string): Traced {
    return this.#with(this.#ops.logSoftmax(this.value, this.#axis(axis)));
  }
  /**
   * Part of an axis, which stays: one index (then of size 1), or a range `[from, to)`. Negative indices count from the
   * end.
   */
  at(axis: string, index: number | { readonly from?: number; readonly to?: number }): Traced {
    const place = this.#axis(axis);
    if (typeof index !== "number") return this.#with(sliced(this.#ops, this.value, place, index));
    return this.#with(this.#ops.gather(this.value, this.#ops.ints([index]), place));
  }
  /** Product of the last axis with a square matrix `[in, out]`. */
  matmul(matrix: Tensor): Traced {
    const size = this.value.shape.at(-1);
    if (matrix.shape.length !== 2 || matrix.shape.some((one) => one !== size)) {
      throw new ShapeError({
        where: "edit.map: matmul",
        got: `a matrix of shape [${matrix.shape.join(", ")}]`,
        expected: `[${String(size)}, ${String(size)}], because an edit keeps the shape`,
        fix: "Multiply by a square matrix over the last axis.",
      });
    }
    return this.#with(this.#ops.matmul(this.value, this.#operand(Tensor.of(matrix.data, matrix.shape))));
  }
}

function sliced(ops: Ops, value: Value, axis: number, { from = 0, to }: { from?: number; to?: number }): Value {
  return to === undefined ? ops.slice(value, axis, from) : ops.slice(value, axis, from, to);
}

function numbers(tensor: Tensor): Iterable<number> {
  return Array.from(tensor.data as Iterable<number | bigint>, Number);
}

/** The same tensor with its axes in the order of `axes`, where all are known there; else as it is. */
export function inOrderOf(tensor: Tensor, axes: readonly string[]): Tensor {
  const sorted = axes.filter((axis) => tensor.axes.includes(axis));
  const isKnown = sorted.length === tensor.axes.length;
  return isKnown && sorted.some((axis, i) => axis !== tensor.axes[i]) ? tensor.transpose(sorted) : tensor;
}

/** Places a tensor's axes among `axes` by name where all are known there, else from the right. */
export function alignedShape(tensor: Tensor, axes: readonly string[]): readonly number[] {
  const places = tensor.axes.map((axis) => axes.indexOf(axis));
  const isByName = places.every((place, i) => place >= 0 && (i === 0 || place > (places[i - 1] ?? -1)));
  const shape = axes.map(() => 1);
  tensor.shape.forEach((size, i) => {
    const place = isByName ? (places[i] ?? 0) : axes.length - tensor.shape.length + i;
    if (place < 0) {
      throw new ShapeError({
        where: "edit value",
        got: `${tensor.shape.length} axes [${tensor.shape.join(", ")}]`,
        expected: `at most ${axes.length}: ${axes.join(", ")}`,
        fix: "Select or reduce the surplus axes first.",
      });
    }
    shape[place] = size;
  });
  return shape;
}
