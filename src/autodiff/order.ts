/**
 * Makes finished gradients be computed before the backward pass goes on.
 *
 * The runtime walks depth first from the last node of a graph: it would go through the whole backward pass before it
 * takes up the gradients of parameters, which lie beside the way, and keep all that they are made of until then. So
 * where only one gradient leads further back (at the residual stream, between sublayers), it is tied to those that are
 * finished: a `Reshape` to its own shape, whose shape input also reads their sizes. It copies nothing.
 */
import { type GraphBuilder, Ops, type Value } from "../graph/index.js";

/** Keeps account of gradients that lead further back and of those that are finished. */
export class LooseEnds {
  readonly #builder: GraphBuilder;
  readonly #ops: Ops;
  /** Values made by nodes that have a gradient and whose step has not been taken. */
  readonly #open = new Set<Value>();
  readonly #loose: Value[] = [];

  constructor(builder: GraphBuilder) {
    this.#builder = builder;
    this.#ops = new Ops(builder);
  }

  /** Tells that `value` got a contribution. */
  added(value: Value, contribution: Value): void {
    if (this.#builder.producer(value).kind === "node") this.#open.add(value);
    else if (this.#builder.producer(contribution).kind === "node") this.#loose.push(contribution);
  }

  /** Tells that the step that makes `values` is taken now. */
  closed(values: readonly Value[]): void {
    for (const value of values) this.#open.delete(value);
  }

  /** Whether nothing but the step that is taken now leads further back, and something is finished. */
  get isBottleneck(): boolean {
    return this.#open.size === 0 && this.#loose.length > 0;
  }

  /** Returns a gradient that is there only after all finished ones are. */
  tie(gradient: Value): Value {
    const sizes = this.#loose.splice(0).map((value) => this.#ops.sizeOf(value));
    return afterSizes(this.#builder, gradient, sizes);
  }
}

/** Returns `value` in its own shape, to be used only after the values whose sizes are given. */
export function afterSizes(builder: GraphBuilder, value: Value, sizes: readonly Value[]): Value {
  const ops = new Ops(builder);
  const [first, ...others] = sizes;
  if (first === undefined) return value;
  // Sums and products are followed while the graph is built: the shape stays known.
  const nothing = ops.mul(
    others.reduce((sum, size) => ops.add(sum, size), first),
    0,
  );
  if (value.shape.length === 0) return ops.add(value, ops.cast(nothing, value.dtype));
  return builder.op("Reshape", [value, ops.add(ops.shapeOf(value), nothing)], { allowzero: 1 });
}
