/** Gradients of whole graphs: a graph in, a graph out. */
import { GraphError, nearestNames } from "../core/index.js";
import { type Graph, GraphBuilder, type Value } from "../graph/index.js";
import type { GradientOptions } from "./options.js";
import { gradients } from "./vjp.js";

/** Prefix of the outputs that hold gradients: `grad:NAME`. */
export const gradientPrefix = "grad:";

/**
 * Returns a graph that computes the gradients of an output with respect to inputs, weights or any values between.
 *
 * Its outputs are `grad:NAME`, one for each of `wrt`, in their shapes.
 *
 * @param of - Name of an output with one element.
 * @param wrt - Values of the graph, or names: of inputs, weights, outputs or values.
 * @throws GraphError when a name is unknown, and what {@link gradients} throws.
 */
export function grad(graph: Graph, of: string, wrt: readonly (string | Value)[], options: GradientOptions = {}): Graph {
  const builder = GraphBuilder.from(graph);
  return builder.build(gradientOutputs(builder, graph, { of, wrt, options }));
}

/**
 * Returns a graph with all outputs of `graph` and the gradients of one of them; see {@link grad}.
 *
 * @throws GraphError as {@link grad} does, and when the graph has an output of the name of a gradient.
 */
export function valueAndGrad(
  graph: Graph,
  of: string,
  wrt: readonly (string | Value)[],
  options: GradientOptions = {},
): Graph {
  const builder = GraphBuilder.from(graph);
  const own = Object.fromEntries(graph.outputs.map(({ name, value }) => [name, value]));
  const added = gradientOutputs(builder, graph, { of, wrt, options });
  const clash = Object.keys(added).find((name) => Object.hasOwn(own, name));
  if (clash === undefined) return builder.build({ ...own, ...added });
  throw new GraphError({
    where: "valueAndGrad",
    got: `a graph with the output "${clash}"`,
    expected: `no output of the name of a gradient`,
    fix: "Rename the output.",
  });
}

interface Request {
  readonly of: string;
  readonly wrt: readonly (string | Value)[];
  readonly options: GradientOptions;
}

function gradientOutputs(builder: GraphBuilder, graph: Graph, { of, wrt, options }: Request): Record<string, Value> {
  const loss = graph.outputs.find(({ name }) => name === of)?.value;
  if (loss === undefined) throw unknownName(`output to differentiate "${of}"`, of, outputNames(graph));
  const named = wrt.map((one) =>
    typeof one === "string" ? { name: one, value: find(graph, one) } : { name: one.name, value: one },
  );
  const results = gradients(
    builder,
    loss,
    named.map(({ value }) => value),
    options,
  );
  return Object.fromEntries(
    named.map(({ name, value }, index) => [`${gradientPrefix}${name}`, results[index] ?? value]),
  );
}

function outputNames(graph: Graph): readonly string[] {
  return graph.outputs.map(({ name }) => name);
}

/** Every value that can be named: outputs under their own names, the rest under those of their values. */
function namedValues(graph: Graph): ReadonlyMap<string, Value> {
  const values = [
    ...graph.nodes.flatMap((node) => node.outputs),
    ...graph.initializers.map(({ value }) => value),
    ...graph.inputs,
  ];
  return new Map([
    ...values.map((value) => [value.name, value] as const),
    ...graph.outputs.map(({ name, value }) => [name, value] as const),
  ]);
}

function find(graph: Graph, name: string): Value {
  const values = namedValues(graph);
  const value = values.get(name);
  if (value !== undefined) return value;
  const inputs = [...graph.inputs, ...graph.initializers.map((own) => own.value)].map((own) => own.name);
  throw unknownName(`value to differentiate by "${name}"`, name, [...inputs, ...outputNames(graph)]);
}

function unknownName(where: string, name: string, known: readonly string[]): GraphError {
  return new GraphError({
    where,
    got: "a name that the graph does not have",
    expected: `one of ${nearestNames(name, known).join(", ") || "none"}`,
    fix: "Check the name.",
  });
}
