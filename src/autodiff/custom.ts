/** Gradients that differ from the derivative: stopped, or given by a rule of the caller's own. */
import { GraphError } from "../core/index.js";
import { describeValue, type GraphBuilder, type Ops, type Value } from "../graph/index.js";

/** What a rule of the caller's own may build with. */
export interface CustomContext {
  readonly ops: Ops;
  /** Gradient with respect to `output`, in its shape. */
  readonly gradient: Value;
  readonly output: Value;
  readonly inputs: readonly Value[];
}

/**
 * Returns the gradient of each input, undefined for none. Shapes are those of the inputs, larger by broadcast axes, or
 * such that they broadcast to them.
 */
export type CustomRule = (context: CustomContext) => readonly (Value | undefined)[];

/** A part of a graph, from `inputs` to `output`, with a rule in place of its derivative. Made by {@link customGradient}. */
export interface CustomGradient {
  readonly output: Value;
  readonly inputs: readonly Value[];
  readonly rule: CustomRule;
}

/**
 * Gives the part of a graph between `inputs` and `output` a rule of its own.
 *
 * The output counts as depending on `inputs` only: what else it is made of gets no gradient through it.
 *
 * @throws GraphError when there is no input, or the output is one of them.
 */
export function customGradient(output: Value, inputs: readonly Value[], rule: CustomRule): CustomGradient {
  if (inputs.length > 0 && !inputs.includes(output)) return { output, inputs, rule };
  throw new GraphError({
    where: `customGradient of ${describeValue(output)}`,
    got: inputs.length === 0 ? "no inputs" : "the output among the inputs",
    expected: "values that the output is computed from",
    fix: "Name the values that should get gradients.",
  });
}

/**
 * Passes the gradient of `output` to `input` unchanged, as if what lies between them were the identity.
 *
 * @see Bengio et al. 2013, "Estimating or Propagating Gradients Through Stochastic Neurons"
 */
export function straightThrough(output: Value, input: Value): CustomGradient {
  return customGradient(output, [input], ({ gradient }) => [gradient]);
}

/** Returns `x` as a value through which no gradient passes, in every derivative that is ever taken of this graph. */
export function stopGradient(builder: GraphBuilder, x: Value): Value {
  return builder.op("Identity", [x], { gradient: "stop" });
}

/**
 * Returns `x` as a value of its own, so that its gradient counts only what uses this value.
 *
 * Builders share equal expressions: two hook points that happen to hold the same expression are one value, and their
 * gradients one sum, unless each is passed through this.
 *
 * @param name - Tells points of the same `x` apart.
 */
export function gradientPoint(builder: GraphBuilder, x: Value, name: string): Value {
  return builder.op("Identity", [x], { gradient: `point:${name}` });
}
