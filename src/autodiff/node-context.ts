/** What a rule sees of the node it differentiates. */
import { InternalError } from "../core/index.js";
import { describeOp, type Node, type Ops, type Value } from "../graph/index.js";
import type { RuleContext } from "./rule.js";
import { spread } from "./shapes.js";

/** What {@link nodeContext} asks the backward pass for. */
export interface NodeSource {
  readonly ops: Ops;
  /** The total gradient of a value so far, in a shape that broadcasts to the value's. */
  gradientOf(value: Value): Value | undefined;
  /** The value to read in the backward part: itself, or computed again. */
  forward(value: Value): Value;
  wants(value: Value | undefined): boolean;
  isRead(value: Value, op: string): boolean;
}

/** Returns the context of one node. */
export function nodeContext(node: Node, source: NodeSource): RuleContext {
  const { ops } = source;
  const outputAt = (index: number): Value => present(node, node.outputs[index], `output ${index}`);
  const optionalGradient = (index: number): Value | undefined => {
    const value = node.outputs[index];
    const gradient = value === undefined ? undefined : source.gradientOf(value);
    return gradient === undefined || value === undefined ? undefined : spread(ops, gradient, value);
  };
  return {
    ops,
    node,
    input: (index) => source.forward(present(node, node.inputs[index], `input ${index}`)),
    output: (index = 0) => source.forward(outputAt(index)),
    gradient: (index = 0) => present(node, optionalGradient(index), `gradient ${index}`),
    optionalGradient,
    looseGradient: () => present(node, source.gradientOf(outputAt(0)), "gradient 0"),
    wants: (index) => source.wants(node.inputs[index]),
    number: (name, fallback) => {
      const value = node.attributes[name];
      return typeof value === "number" ? value : fallback;
    },
    isReadBy: (op) => source.isRead(outputAt(0), op),
  };
}

function present(node: Node, value: Value | undefined, what: string): Value {
  if (value !== undefined) return value;
  throw new InternalError({
    where: `derivative of ${describeOp(node.op, node.inputs)}`,
    got: `no ${what}`,
    expected: "a rule that asks for what the node has",
    fix: "Report this as a bug of limpid.",
  });
}
