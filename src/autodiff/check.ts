/**
 * Checks gradients against finite differences, inside one graph: nothing runs before the graph does.
 *
 * For random directions `v` and weights `u` of the outputs, `sum(u f(x + h v)) - sum(u f(x - h v))` over `2 h` is what
 * `<J^T u, v>` must be, up to `h^2` times a third derivative and rounding over `h`.
 */
import { type GraphBuilder, Ops, type Value } from "../graph/index.js";
import type { GradientOptions } from "./options.js";
import { jvp, vjp } from "./vjp.js";

/** A function of floating-point values, as it is added to a graph. Called several times; the values keep their order. */
export type Differentiable = (ops: Ops, inputs: readonly Value[]) => readonly Value[];

/** What a check compares: scalars of the element type of the inputs. */
export interface GradientCheck {
  /** `<u, f(x + h v) - f(x - h v)> / 2h`. */
  readonly numeric: Value;
  /** `<J^T u, v>`. */
  readonly reverse: Value;
  /** `<u, J v>`; the same as `reverse` where forward mode is left out. */
  readonly forward: Value;
  /** `sum |J^T u| |v|`: what rounding errors are to be compared with. */
  readonly size: Value;
}

/** Choices for {@link checkGradient}. */
export interface GradientCheckOptions extends GradientOptions {
  /** Directions, one for each input, in its shape. */
  readonly directions: readonly Value[];
  /** Weights of the outputs, one for each, in its shape; they may depend on shapes only. */
  readonly weights: (ops: Ops, outputs: readonly Value[]) => readonly Value[];
  /** Half the distance between the two points of the difference. Default 1e-5, right for float64. */
  readonly step?: number;
  /** Whether to check forward mode too, which differentiates once more. Default true. */
  readonly forward?: boolean;
}

function inner(ops: Ops, a: readonly Value[], b: readonly Value[]): Value {
  const products = a.flatMap((value, index) => {
    const other = b[index];
    return other === undefined ? [] : [ops.reduceSum(ops.mul(value, other), undefined, false)];
  });
  return products.reduce((sum, product) => ops.add(sum, product));
}

/**
 * Adds a comparison of reverse mode, forward mode and finite differences of `f` at `inputs` to a graph.
 *
 * @param inputs - float64 for differences that mean something.
 * @throws GraphError as {@link vjp} does.
 */
export function checkGradient(
  builder: GraphBuilder,
  f: Differentiable,
  inputs: readonly Value[],
  options: GradientCheckOptions,
): GradientCheck {
  const ops = new Ops(builder);
  const { directions, step = 1e-5, weights, forward = true, ...rest } = options;
  const outputs = f(ops, inputs);
  const u = weights(ops, outputs);
  const moved = (by: number): Value => {
    const point = inputs.map((value, index) => ops.add(value, ops.mul(directions[index] ?? value, by)));
    const there = f(ops, point);
    return inner(ops, there, weights(ops, there));
  };
  const numeric = ops.div(ops.sub(moved(step), moved(-step)), 2 * step);
  const seeds = outputs.map((value, index) => ({ value, gradient: u[index] ?? value }));
  const back = vjp(builder, seeds, inputs, rest);
  const reverse = inner(ops, back, directions);
  const forth = (): Value => {
    const along = inputs.map((value, index) => ({ value, tangent: directions[index] ?? value }));
    return inner(ops, jvp(builder, outputs, along, rest), u);
  };
  const sizes = (values: readonly Value[]): readonly Value[] => values.map((value) => ops.abs(value));
  return {
    numeric,
    reverse,
    forward: forward ? forth() : reverse,
    size: inner(ops, sizes(back), sizes(directions)),
  };
}
