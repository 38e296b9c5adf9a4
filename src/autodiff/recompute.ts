/**
 * Computes activations again in the backward part, so that they need not stay in memory from the forward part.
 *
 * 1. Kept values split the steps into stretches, in the order of computation.
 * 2. When the backward pass enters a stretch, the gradient it brings becomes the gate of that stretch. The last stretch
 *    has no gate: its activations were made just before.
 * 3. A rule that reads an activation of the stretch gets a copy, computed from kept values that have passed the gate: a
 *    `Reshape` to the value's own shape whose shape input is read from the gradient. It copies nothing, but it cannot
 *    run, and nothing behind it can, before the gradient is there.
 */
import { GraphError } from "../core/index.js";
import { describeValue, type GraphBuilder, type Node, Ops, type Value } from "../graph/index.js";
import { afterSizes } from "./order.js";
import type { Region, Step } from "./region.js";
import { stepInputs, stepOutputs } from "./region.js";

/** Gives rules the forward values that they read. */
export class Recompute {
  readonly #builder: GraphBuilder;
  readonly #ops: Ops;
  readonly #active: ReadonlySet<Value>;
  readonly #kept: ReadonlySet<Value> | undefined;
  /** Number of kept values made before a value. */
  readonly #stretchOf = new Map<Value, number>();
  readonly #copies = new Map<Value, Value>();
  #stretch: number | undefined;
  #gate: Value | undefined;

  /** @param keep - Values to keep; undefined keeps all. */
  constructor(builder: GraphBuilder, region: Region, keep: readonly Value[] | undefined) {
    this.#builder = builder;
    this.#ops = new Ops(builder);
    this.#active = region.active;
    this.#kept = keep === undefined ? undefined : new Set(keep);
    for (const value of keep ?? []) checkKept(region, value);
    let stretch = 0;
    for (const step of keep === undefined ? [] : region.steps) {
      for (const value of stepOutputs(step)) this.#stretchOf.set(value, stretch);
      stretch += stepOutputs(step).filter((value) => this.#kept?.has(value) === true).length;
    }
  }

  /** Tells that a step is about to be differentiated. */
  enter(step: Step, gradient: Value): void {
    if (this.#kept === undefined) return;
    const stretch = this.#stretchOf.get(stepOutputs(step)[0] ?? gradient) ?? 0;
    if (stretch === this.#stretch) return;
    this.#gate = this.#stretch === undefined ? undefined : gradient;
    this.#stretch = stretch;
    this.#copies.clear();
  }

  /** Returns the value to read: itself when it is kept or does not depend on what is differentiated, else a copy. */
  read(value: Value): Value {
    if (this.#kept === undefined || this.#gate === undefined) return value;
    const known = this.#copies.get(value);
    if (known !== undefined) return known;
    if (this.#kept.has(value)) {
      const gate = this.#ops.sizeOf(this.#gate);
      return this.#remember(value, afterSizes(this.#builder, value, [gate]));
    }
    const producer = this.#builder.producer(value);
    if (producer.kind !== "node" || !this.#active.has(value)) return value;
    this.#copyNode(producer.node);
    return this.#copies.get(value) ?? value;
  }

  #copyNode(node: Node): void {
    const inputs = node.inputs.map((input) => (input === undefined ? undefined : this.read(input)));
    const copies = this.#builder.ops(node.op, inputs, node.attributes, node.outputs.length);
    node.outputs.forEach((output, index) => this.#remember(output, copies[index] ?? output));
  }

  #remember(value: Value, copy: Value): Value {
    this.#copies.set(value, copy);
    return copy;
  }
}

function checkKept(region: Region, value: Value): void {
  if (region.active.has(value) || region.steps.some((step) => stepInputs(step).includes(value))) return;
  throw new GraphError({
    where: `keep: ${describeValue(value)}`,
    got: "a value that no step on the way of the gradients reads",
    expected: "values between what is differentiated and the outputs",
    fix: "Keep values such as the residual stream before each block.",
  });
}
