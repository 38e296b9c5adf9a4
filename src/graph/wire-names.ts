/** Chooses the names that values have in an encoded graph. */
import { GraphError } from "../core/index.js";
import type { Graph, Value } from "./ir.js";

/** An output that needs a copy: a second name of a value, or a name for an input or an initializer. */
export interface OutputCopy {
  readonly name: string;
  readonly value: Value;
}

/** Names of an encoded graph. */
export interface WireNames {
  readonly names: ReadonlyMap<Value, string>;
  readonly copies: readonly OutputCopy[];
}

/** Prefix of the names of nodes that only give a value a second name; reading a graph back takes them away again. */
export const copyPrefix = "limpid.copy.";

function checkOutputNames(graph: Graph): void {
  const inputs = new Map(graph.inputs.map((value) => [value.name, value]));
  const seen = new Set<string>();
  for (const { name, value } of graph.outputs) {
    const input = inputs.get(name);
    if (!seen.has(name) && (input === undefined || input === value) && name !== "") {
      seen.add(name);
      continue;
    }
    throw new GraphError({
      where: `graph output "${name}"`,
      got: input === undefined ? "an empty or repeated name" : "the name of an input",
      expected: "a name of its own",
      fix: "Rename the output.",
    });
  }
}

function freeName(wanted: string, taken: ReadonlySet<string>): string {
  let name = wanted;
  for (let count = 1; taken.has(name); count++) name = `${wanted}~${count}`;
  return name;
}

/** Returns a name for each value: inputs and outputs keep theirs, the others get out of their way. */
export function wireNames(graph: Graph): WireNames {
  checkOutputNames(graph);
  const names = new Map<Value, string>();
  const produced = new Set(graph.nodes.flatMap((node) => node.outputs));
  const copies: OutputCopy[] = [];
  for (const value of graph.inputs) names.set(value, value.name);
  for (const { name, value } of graph.outputs) {
    if (produced.has(value) && !names.has(value)) names.set(value, name);
    else if (names.get(value) !== name) copies.push({ name, value });
  }
  const taken = new Set([...names.values(), ...copies.map(({ name }) => name)]);
  for (const value of [...graph.initializers.map((initializer) => initializer.value), ...produced]) {
    if (names.has(value)) continue;
    const name = freeName(value.name, taken);
    taken.add(name);
    names.set(value, name);
  }
  return { names, copies };
}
