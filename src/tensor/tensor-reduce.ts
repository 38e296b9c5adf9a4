/** The reductions, and the operations along one axis. */
import type { Axes, Reduced } from "./axis-types.js";
import type { DType, FloatOf, Promote } from "./dtype.js";
import { argsort, type SortOptions, sort, type TopkOptions, topk } from "./order.js";
import {
  type ReduceOp,
  type ReduceOptions,
  reduce,
  standardDeviation,
  type VarianceOptions,
  variance,
} from "./reduce.js";
import { cumsum, logSoftmax, softmax } from "./scan.js";
import type { Tensor } from "./tensor.js";
import { ElementwiseTensor } from "./tensor-elementwise.js";

/** The largest elements along an axis and where they stood. */
export interface Topk<D extends DType = DType, A extends Axes = Axes> {
  /** The elements, largest first. */
  readonly values: Tensor<D, A>;
  /** Their indices along the axis. */
  readonly indices: Tensor<"int32", A>;
}

/**
 * Reductions over one axis, several, or all when none is named, and operations along one axis.
 *
 * Everything accumulates in float64 and rounds once. NaN propagates and counts as the greatest number. Over an empty
 * axis sums are 0, means NaN, and extremes an error.
 */
export abstract class ReducingTensor<D extends DType = DType, A extends Axes = Axes> extends ElementwiseTensor<D, A> {
  /** Returns the sum; of bools, how many are true. */
  sum<X extends A[number] = A[number], K extends boolean = false>(
    axis?: X | readonly X[],
    options?: ReduceOptions<K>,
  ): Tensor<Promote<D, D>, Reduced<A, X, K>> {
    return this.reduced("sum", axis, options);
  }
  /** Returns the arithmetic mean. */
  mean<X extends A[number] = A[number], K extends boolean = false>(
    axis?: X | readonly X[],
    options?: ReduceOptions<K>,
  ): Tensor<FloatOf<D>, Reduced<A, X, K>> {
    return this.reduced("mean", axis, options);
  }
  /** Returns the variance; divides by the count minus `correction` (default 0). */
  variance<X extends A[number] = A[number], K extends boolean = false>(
    axis?: X | readonly X[],
    options?: VarianceOptions<K>,
  ): Tensor<FloatOf<D>, Reduced<A, X, K>> {
    return this.derive(variance(this.strided, axis, options));
  }
  /** Returns the standard deviation; divides by the count minus `correction` (default 0). */
  std<X extends A[number] = A[number], K extends boolean = false>(
    axis?: X | readonly X[],
    options?: VarianceOptions<K>,
  ): Tensor<FloatOf<D>, Reduced<A, X, K>> {
    return this.derive(standardDeviation(this.strided, axis, options));
  }
  /** Returns the Euclidean norm. */
  norm<X extends A[number] = A[number], K extends boolean = false>(
    axis?: X | readonly X[],
    options?: ReduceOptions<K>,
  ): Tensor<FloatOf<D>, Reduced<A, X, K>> {
    return this.reduced("norm", axis, options);
  }
  /** Returns the least element. */
  min<X extends A[number] = A[number], K extends boolean = false>(
    axis?: X | readonly X[],
    options?: ReduceOptions<K>,
  ): Tensor<Promote<D, D>, Reduced<A, X, K>> {
    return this.reduced("min", axis, options);
  }
  /** Returns the greatest element. */
  max<X extends A[number] = A[number], K extends boolean = false>(
    axis?: X | readonly X[],
    options?: ReduceOptions<K>,
  ): Tensor<Promote<D, D>, Reduced<A, X, K>> {
    return this.reduced("max", axis, options);
  }
  /** Returns whether any element is not zero. */
  any<X extends A[number] = A[number], K extends boolean = false>(
    axis?: X | readonly X[],
    options?: ReduceOptions<K>,
  ): Tensor<"bool", Reduced<A, X, K>> {
    return this.reduced("any", axis, options);
  }
  /** Returns whether all elements are not zero. */
  all<X extends A[number] = A[number], K extends boolean = false>(
    axis?: X | readonly X[],
    options?: ReduceOptions<K>,
  ): Tensor<"bool", Reduced<A, X, K>> {
    return this.reduced("all", axis, options);
  }
  /** Returns the index of the first least element; over several axes, its row-major index in the order named. */
  argmin<X extends A[number] = A[number], K extends boolean = false>(
    axis?: X | readonly X[],
    options?: ReduceOptions<K>,
  ): Tensor<"int32", Reduced<A, X, K>> {
    return this.reduced("argmin", axis, options);
  }
  /** Returns the index of the first greatest element; over several axes, its row-major index in the order named. */
  argmax<X extends A[number] = A[number], K extends boolean = false>(
    axis?: X | readonly X[],
    options?: ReduceOptions<K>,
  ): Tensor<"int32", Reduced<A, X, K>> {
    return this.reduced("argmax", axis, options);
  }
  /** Returns log(sum(exp(this))) without overflow. */
  logsumexp<X extends A[number] = A[number], K extends boolean = false>(
    axis?: X | readonly X[],
    options?: ReduceOptions<K>,
  ): Tensor<FloatOf<D>, Reduced<A, X, K>> {
    return this.reduced("logsumexp", axis, options);
  }

  /** Returns probabilities along `axis`; a row with NaN, +Infinity or only -Infinity becomes NaN. */
  softmax(axis: A[number]): Tensor<FloatOf<D>, A> {
    return this.derive(softmax(this.strided, axis));
  }
  /** Returns log-probabilities (natural logarithm) along `axis`; NaN in the same rows as softmax. */
  logSoftmax(axis: A[number]): Tensor<FloatOf<D>, A> {
    return this.derive(logSoftmax(this.strided, axis));
  }
  /** Returns running sums along `axis`. */
  cumsum(axis: A[number]): Tensor<Promote<D, D>, A> {
    return this.derive(cumsum(this.strided, axis));
  }
  /** Returns the elements sorted along `axis`; equal ones keep their order. */
  sort(axis: A[number], options?: SortOptions): Tensor<D, A> {
    return this.derive(sort(this.strided, axis, options));
  }
  /** Returns the indices that sort `axis`; equal elements keep their order. */
  argsort(axis: A[number], options?: SortOptions): Tensor<"int32", A> {
    return this.derive(argsort(this.strided, axis, options));
  }
  /** Returns the `k` largest elements along `axis`, largest first, and their indices; ties go to the lower index. */
  topk(k: number, axis: A[number], options?: TopkOptions): Topk<D, A> {
    const { values, indices } = topk(this.strided, k, axis, options);
    return { values: this.derive(values), indices: this.derive(indices) };
  }

  private reduced<E extends DType, B extends Axes>(
    op: ReduceOp,
    axis: string | readonly string[] | undefined,
    options: ReduceOptions | undefined,
  ): Tensor<E, B> {
    return this.derive(reduce(op, this.strided, axis, options));
  }
}
