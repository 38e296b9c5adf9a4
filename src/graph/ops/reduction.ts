/** Typed reductions, softmax and matrix products. */
import type { OpAttributes } from "../builder.js";
import type { Value } from "../ir.js";
import { IndexingOps } from "./indexing.js";

/** Transpositions of {@link ReductionOps.fusedMatmul}. */
export interface FusedMatmulOptions {
  /** Swaps the last two axes of `a`. */
  readonly transA?: boolean;
  /** Swaps the last two axes of `b`: the layout of a PyTorch `Linear`, `[out, in]`. */
  readonly transB?: boolean;
  /** Moves axis 0 of `a` to the second last place before that: `[m, h, k]` becomes `[h, m, k]`. */
  readonly transBatchA?: boolean;
  /** Moves axis 0 of `b` to the second last place before that. */
  readonly transBatchB?: boolean;
  /** Factor on the product. */
  readonly alpha?: number;
}

/** Reductions and products. Abstract: use `Ops`. */
export abstract class ReductionOps extends IndexingOps {
  /** Returns sums over `axes`, all of them when left out; reduced axes stay with size 1 unless `keepdims` is false. */
  reduceSum(x: Value, axes?: readonly number[], keepdims = true): Value {
    return this.reduce("ReduceSum", x, axes, keepdims);
  }

  /** Returns means over `axes`. */
  reduceMean(x: Value, axes?: readonly number[], keepdims = true): Value {
    return this.reduce("ReduceMean", x, axes, keepdims);
  }

  /** Returns maxima over `axes`. */
  reduceMax(x: Value, axes?: readonly number[], keepdims = true): Value {
    return this.reduce("ReduceMax", x, axes, keepdims);
  }

  /** Returns minima over `axes`. */
  reduceMin(x: Value, axes?: readonly number[], keepdims = true): Value {
    return this.reduce("ReduceMin", x, axes, keepdims);
  }

  /** Returns sums of squares over `axes`. */
  reduceSumSquare(x: Value, axes?: readonly number[], keepdims = true): Value {
    return this.reduce("ReduceSumSquare", x, axes, keepdims);
  }

  /** Returns sums of absolute values over `axes`. */
  reduceL1(x: Value, axes?: readonly number[], keepdims = true): Value {
    return this.reduce("ReduceL1", x, axes, keepdims);
  }

  /** Returns Euclidean norms over `axes`. */
  reduceL2(x: Value, axes?: readonly number[], keepdims = true): Value {
    return this.reduce("ReduceL2", x, axes, keepdims);
  }

  /** Returns `log(sum(exp(x)))` over `axes`, without overflow. */
  logSumExp(x: Value, axes?: readonly number[], keepdims = true): Value {
    return this.reduce("ReduceLogSumExp", x, axes, keepdims);
  }

  /** Returns `exp(x)` scaled to sum to 1 along `axis`; a row of -infinity only becomes NaN. */
  softmax(x: Value, axis = -1): Value {
    return this.apply("Softmax", x, { axis });
  }

  /** Returns the logarithm of the softmax along `axis`, in natural-log units. */
  logSoftmax(x: Value, axis = -1): Value {
    return this.apply("LogSoftmax", x, { axis });
  }

  /** Returns the matrix product of the last two axes; leading axes broadcast. */
  matmul(a: Value, b: Value): Value {
    return this.combine("MatMul", [a, b]);
  }

  /**
   * Returns `alpha * op(a) @ op(b)` without copying an operand, so that mapped weights stay mapped.
   *
   * `op` first moves axis 0 to the second last place (`transBatch…`), then swaps the last two (`trans…`). In float64
   * an `alpha` that float32 cannot hold becomes a product of its own.
   */
  fusedMatmul(a: Value, b: Value, options: FusedMatmulOptions = {}): Value {
    const { alpha = 1 } = options;
    const exact = a.dtype !== "float64" || Math.fround(alpha) === alpha;
    const product = this.builder.op("FusedMatMul", [a, b], fusedAttributes({ ...options, alpha: exact ? alpha : 1 }));
    return exact ? product : this.mul(product, alpha);
  }

  /** Returns a sum of products by letters: `"bqhd,bkhd->bhqk"`. */
  einsum(equation: string, ...values: readonly Value[]): Value {
    return this.combine("Einsum", values, { equation });
  }

  /** Axes are counted from 0: the kernels ignore negative ones when the value is empty. */
  private reduce(op: string, x: Value, axes: readonly number[] | undefined, keepdims: boolean): Value {
    const counted = axes?.map((axis) => (axis < 0 && axis >= -x.shape.length ? axis + x.shape.length : axis));
    const inputs = counted === undefined ? [x] : [x, this.ints(counted)];
    const attributes: OpAttributes = { keepdims: keepdims ? 1 : 0, ...(axes?.length === 0 ? noAxes : {}) };
    return this.builder.op(op, inputs, attributes);
  }
}

/** Makes an empty list of axes reduce nothing. */
const noAxes: OpAttributes = { noop_with_empty_axes: 1 };

function fusedAttributes(options: FusedMatmulOptions): OpAttributes {
  const { transA, transB, transBatchA, transBatchB, alpha = 1 } = options;
  return {
    ...(transA === true ? { transA: 1 } : {}),
    ...(transB === true ? { transB: 1 } : {}),
    ...(transBatchA === true ? { transBatchA: 1 } : {}),
    ...(transBatchB === true ? { transBatchB: 1 } : {}),
    ...(alpha === 1 ? {} : { alpha }),
  };
}
