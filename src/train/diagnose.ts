/** Finds the first tensor of a failed step that is not finite. */
import {
  descendants,
  describeType,
  type Graph,
  GraphBuilder,
  type GraphDType,
  type Node,
  Ops,
  type Value,
} from "../graph/index.js";
import { guardedOutputs, type StepGraph } from "./program.js";

/** A value that is looked at, and what a message calls it. */
export interface Suspect {
  readonly output: string;
  readonly name: string;
}

/** A graph that counts bad elements of every value that depends on parameters or batch, in the order of computation. */
export interface Inspection {
  readonly graph: Graph;
  readonly suspects: readonly Suspect[];
}

const isFloat = (dtype: GraphDType): boolean => dtype === "float32" || dtype === "float64";

/** Elements that are NaN or above every number. Minus infinity is what masks are made of. */
function badCount(ops: Ops, value: Value): Value {
  const isBad = ops.or(ops.isNaN(value), ops.equal(value, Number.POSITIVE_INFINITY));
  return ops.reduceSum(ops.cast(isBad, "float32"), undefined, false);
}

/** The last label given at or before each node. */
function labelsSoFar(nodes: readonly Node[], labels: ReadonlyMap<Value, string>): ReadonlyMap<Node, string> {
  const found = new Map<Node, string>();
  let last: string | undefined;
  for (const node of nodes) {
    last = node.outputs.map((value) => labels.get(value)).find((label) => label !== undefined) ?? last;
    if (last !== undefined) found.set(node, last);
  }
  return found;
}

function describeMade(node: Node, value: Value, label: string | undefined, last: string | undefined): string {
  if (label !== undefined) return `"${label}"`;
  const place = last === undefined ? "" : `, computed after "${last}"`;
  return `the output of ${node.op} (${describeType(value)})${place}`;
}

/** Returns a graph that inspects a step: parameters and batch first, then every value. */
export function inspectionOf({ graph, labels }: StepGraph): Inspection {
  const builder = GraphBuilder.from(graph);
  const ops = new Ops(builder);
  const suspects: Suspect[] = [];
  const outputs: Record<string, Value> = {};
  const look = (value: Value, name: string): void => {
    const output = `bad.${suspects.length}`;
    suspects.push({ output, name });
    outputs[output] = badCount(ops, value);
  };
  const floats = graph.inputs.filter(({ dtype }) => isFloat(dtype));
  for (const value of floats) look(value, `"${value.name}", an input of the step`);
  const touched = descendants(graph, floats);
  // The guards would make this run fail, too; what they guard is looked at.
  const guards = new Set(graph.outputs.filter(({ name }) => guardedOutputs.includes(name)).map(({ value }) => value));
  const last = labelsSoFar(graph.nodes, labels);
  for (const node of graph.nodes) {
    for (const value of node.outputs) {
      if (!touched.has(value) || !isFloat(value.dtype) || guards.has(value)) continue;
      look(value, describeMade(node, value, labels.get(value), last.get(node)));
    }
  }
  return { graph: builder.build(outputs), suspects };
}
