/** Copies a graph into a builder. */
import { GraphError } from "../core/index.js";
import type { GraphBuilder } from "./builder.js";
import { describeType, describeValue } from "./describe.js";
import type { Graph, Initializer, Node, Value } from "./ir.js";

/** Does the work of `GraphBuilder.inline`. */
export function inlineGraph(
  builder: GraphBuilder,
  graph: Graph,
  replacements: ReadonlyMap<Value, Value>,
): Readonly<Record<string, Value>> {
  const mapped = new Map(replacements);
  for (const value of graph.inputs) checkReplacement(builder, value, mapped.get(value));
  for (const initializer of graph.initializers) {
    if (!mapped.has(initializer.value)) mapped.set(initializer.value, copyInitializer(builder, initializer));
  }
  for (const node of graph.nodes) copyNode(builder, node, mapped);
  return Object.fromEntries(graph.outputs.map(({ name, value }) => [name, mapped.get(value) ?? value]));
}

function checkReplacement(builder: GraphBuilder, value: Value, replacement: Value | undefined): void {
  if (replacement !== undefined && replacement.dtype === value.dtype && builder.has(replacement)) return;
  throw new GraphError({
    where: `GraphBuilder.inline: input "${value.name}"`,
    got: describeValue(replacement),
    expected: `a value of this builder for ${describeType(value)}`,
    fix: "Pass a replacement for every input of the graph.",
  });
}

function copyInitializer(builder: GraphBuilder, { value, source }: Initializer): Value {
  const shape = value.shape.map(Number);
  const constant = value.name.startsWith("const_") && source.kind === "data";
  return constant
    ? builder.constant(source.data, value.dtype, shape)
    : builder.weight(value.name, value.dtype, shape, source);
}

function copyNode(builder: GraphBuilder, node: Node, mapped: Map<Value, Value>): void {
  if (node.outputs.every((value) => mapped.has(value))) return;
  const inputs = node.inputs.map((value) => (value === undefined ? undefined : mapped.get(value)));
  const outputs = builder.ops(node.op, inputs, node.attributes, node.outputs.length);
  node.outputs.forEach((value, index) => {
    const copy = outputs[index];
    if (copy === undefined || mapped.has(value)) return;
    mapped.set(value, value.axes === undefined ? copy : builder.named(copy, value.axes));
  });
}
