/** Typed ops that read or write by index, and running sums. */
import type { Value } from "../ir.js";
import { LayoutOps } from "./layout.js";

/** The two results of {@link IndexingOps.topk}. */
export interface TopK {
  readonly values: Value;
  /** int64, counted along the axis. */
  readonly indices: Value;
}

/** Choices for {@link IndexingOps.topk}. */
export interface TopKOptions {
  readonly axis?: number;
  /** Largest (the default) or smallest elements. */
  readonly largest?: boolean;
  /** Whether the result is in order (the default). */
  readonly sorted?: boolean;
}

/** How a scatter combines updates with what is there. */
export type ScatterReduction = "none" | "add" | "mul" | "max" | "min";

/** Indexing methods. A negative index counts from the end. Abstract: use `Ops`. */
export abstract class IndexingOps extends LayoutOps {
  /** Returns the entries of `x` along `axis` at `indices`; that axis is replaced by the axes of `indices`. */
  gather(x: Value, indices: Value, axis: number): Value {
    return this.builder.op("Gather", [x, indices], { axis });
  }

  /** Returns the part of `x` at each position that the last axis of `indices` holds, after `batchDims` shared axes. */
  gatherND(x: Value, indices: Value, batchDims = 0): Value {
    return this.builder.op("GatherND", [x, indices], { batch_dims: batchDims });
  }

  /** Returns `x[…, indices[…, i, …], …]` along `axis`; the result has the shape of `indices`. */
  gatherElements(x: Value, indices: Value, axis: number): Value {
    return this.builder.op("GatherElements", [x, indices], { axis });
  }

  /** Returns `x` with the parts at `indices` (positions on the last axis) replaced by or combined with `updates`. */
  scatterND(x: Value, indices: Value, updates: Value, reduction: ScatterReduction = "none"): Value {
    return this.builder.op("ScatterND", [x, indices, updates], reduction === "none" ? {} : { reduction });
  }

  /** Returns `x` with the elements at `indices` along `axis` replaced by or combined with `updates`. */
  scatterElements(
    x: Value,
    indices: Value,
    updates: Value,
    options: { readonly axis: number; readonly reduction?: ScatterReduction },
  ): Value {
    const { axis, reduction = "none" } = options;
    const attributes = reduction === "none" ? { axis } : { axis, reduction };
    return this.builder.op("ScatterElements", [x, indices, updates], attributes);
  }

  /** Returns the `k` largest (or smallest) elements along an axis, the last by default, and their indices. */
  topk(x: Value, k: number | Value, options: TopKOptions = {}): TopK {
    const { axis = -1, largest = true, sorted = true } = options;
    const attributes = { axis, largest: largest ? 1 : 0, sorted: sorted ? 1 : 0 };
    const [values = x, indices = x] = this.builder.ops("TopK", [x, this.bound(k)], attributes, 2);
    return { values, indices };
  }

  /** Returns the int64 index of the largest element along `axis`, the first of equals; the axis goes unless kept. */
  argmax(x: Value, axis: number, keepdims = false): Value {
    return this.apply("ArgMax", x, { axis, keepdims: keepdims ? 1 : 0 });
  }

  /** Returns the int64 index of the smallest element along `axis`, the first of equals; the axis goes unless kept. */
  argmin(x: Value, axis: number, keepdims = false): Value {
    return this.apply("ArgMin", x, { axis, keepdims: keepdims ? 1 : 0 });
  }

  /** Returns running sums along `axis`; `exclusive` leaves each element itself out, `reverse` runs from the end. */
  cumsum(x: Value, axis: number, options: { readonly exclusive?: boolean; readonly reverse?: boolean } = {}): Value {
    const { exclusive = false, reverse = false } = options;
    const attributes = { exclusive: exclusive ? 1 : 0, reverse: reverse ? 1 : 0 };
    return this.builder.op("CumSum", [x, this.scalar(axis, "int64")], attributes);
  }
}
