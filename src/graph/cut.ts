/**
 * Splits a graph into segments that run one after the other.
 *
 * Values that cross a cut become outputs of the segment that makes them and inputs of those that use them, under one
 * name: their output name if the graph has one for them, else the name of the value. Weights go where they are used.
 * Running the segments in order, each fed with the inputs of the graph and what earlier ones made, is running the graph.
 */
import type { Graph, Initializer, Node, Output, Value } from "./ir.js";
import { ancestors } from "./reach.js";

/** One step of a graph with callbacks. */
export type CutStep =
  | { readonly kind: "segment"; readonly graph: Graph }
  | {
      readonly kind: "callback";
      /** The `id` that the callback was declared with. */
      readonly id: string;
      /** Names of values made before, or of graph inputs. */
      readonly inputs: readonly string[];
      /** Names under which later steps and the caller find the results, in the order of `inputs`. */
      readonly outputs: readonly string[];
    };

/** Nodes that run together, and values that they must hand out although no later node uses them. */
interface Group {
  readonly nodes: readonly Node[];
  readonly extra: readonly Value[];
}

function isCallback(node: Node): boolean {
  return node.domain === "limpid" && node.op === "Callback";
}

function presentInputs(nodes: readonly Node[]): ReadonlySet<Value> {
  return new Set(nodes.flatMap((node) => node.inputs.filter((value) => value !== undefined)));
}

/** Gives a value the name that it crosses cuts with. */
function crossingValues(graph: Graph): (value: Value) => Value {
  const inputs = new Set(graph.inputs);
  const taken = new Set([...graph.outputs.map(({ name }) => name), ...graph.inputs.map(({ name }) => name)]);
  const renamed = new Map<Value, Value>();
  for (const { name, value } of graph.outputs) {
    if (!inputs.has(value) && !renamed.has(value)) renamed.set(value, value.name === name ? value : { ...value, name });
  }
  return (value) => {
    if (inputs.has(value)) return value;
    const known = renamed.get(value);
    if (known !== undefined) return known;
    let name = value.name;
    for (let count = 1; taken.has(name); count++) name = `${value.name}~${count}`;
    const crossing = name === value.name ? value : { ...value, name };
    taken.add(name);
    renamed.set(value, crossing);
    return crossing;
  };
}

function renameInputs(node: Node, renamed: ReadonlyMap<Value, Value>): Node {
  const touched = node.inputs.some((value) => value !== undefined && renamed.has(value));
  if (!touched) return node;
  const inputs = node.inputs.map((value) => (value === undefined ? undefined : (renamed.get(value) ?? value)));
  return { ...node, inputs };
}

/** What {@link makeSegment} needs to know of the whole graph. */
interface Whole {
  readonly graph: Graph;
  readonly initializers: ReadonlyMap<Value, Initializer>;
  readonly crossing: (value: Value) => Value;
  /** Outputs that are inputs, weights or callback results under a second name: the last segment hands them on. */
  readonly passed: readonly Output[];
}

function makeSegment(whole: Whole, group: Group, later: ReadonlySet<Value>, passed: readonly Output[]): Graph {
  const made = new Set(group.nodes.flatMap((node) => node.outputs));
  const passedValues = passed.map(({ value }) => value);
  const used = [...new Set([...presentInputs(group.nodes), ...group.extra, ...passedValues])];
  const weights = used.flatMap((value) => whole.initializers.get(value) ?? []);
  const outside = used.filter((value) => !made.has(value) && !whole.initializers.has(value));
  const renamed = new Map(outside.map((value) => [value, whole.crossing(value)]));
  const named = whole.graph.outputs.filter(({ value }) => made.has(value));
  const handed = [...new Set([...made, ...group.extra])].filter(
    (value) => later.has(value) || group.extra.includes(value),
  );
  const names = new Set(named.map(({ name }) => name));
  const crossing = handed.map((value) => ({ name: whole.crossing(value).name, value }));
  const onward = passed.map(({ name, value }) => ({ name, value: renamed.get(value) ?? value }));
  return Object.freeze({
    inputs: Object.freeze([...renamed.values()]),
    initializers: Object.freeze(weights),
    nodes: Object.freeze(group.nodes.map((node) => renameInputs(node, renamed))),
    outputs: Object.freeze([...named, ...crossing.filter(({ name }) => !names.has(name)), ...onward]),
  });
}

function passedOutputs(graph: Graph, crossing: (value: Value) => Value): readonly Output[] {
  const made = new Set(graph.nodes.filter((node) => !isCallback(node)).flatMap((node) => node.outputs));
  const fromCallbacks = new Set(graph.nodes.filter(isCallback).flatMap((node) => node.outputs));
  return graph.outputs.filter(({ name, value }) => {
    if (made.has(value)) return false;
    return !fromCallbacks.has(value) || crossing(value).name !== name;
  });
}

/** Puts each node into the first group whose demand needs it; the last group takes the rest. */
function groupNodes(graph: Graph, demands: readonly (readonly Value[])[]): readonly (readonly Node[])[] {
  const left = new Set(graph.nodes.filter((node) => !isCallback(node)));
  const groups = demands.map((demand) => {
    const needed = ancestors(graph, demand);
    const nodes = [...left].filter((node) => node.outputs.some((value) => needed.has(value)));
    for (const node of nodes) left.delete(node);
    return nodes;
  });
  return [...groups, [...left]];
}

/** Values that each group's successors use: the inputs of all later groups and of all callbacks. */
function laterUses(groups: readonly Group[], callbacks: readonly Node[]): readonly ReadonlySet<Value>[] {
  const later: ReadonlySet<Value>[] = [];
  let used: ReadonlySet<Value> = presentInputs(callbacks);
  for (const group of groups.toReversed()) {
    later.unshift(used);
    used = new Set([...used, ...presentInputs(group.nodes)]);
  }
  return later;
}

function segmentsOf(
  graph: Graph,
  groups: readonly Group[],
  crossing: (value: Value) => Value,
): readonly (Graph | undefined)[] {
  const initializers = new Map(graph.initializers.map((initializer) => [initializer.value, initializer]));
  const whole: Whole = { graph, initializers, crossing, passed: passedOutputs(graph, crossing) };
  const later = laterUses(groups, graph.nodes.filter(isCallback));
  return groups.map((group, index) => {
    const passed = index === groups.length - 1 ? whole.passed : [];
    if (group.nodes.length === 0 && group.extra.length === 0 && passed.length === 0) return undefined;
    return makeSegment(whole, group, later[index] ?? new Set(), passed);
  });
}

/**
 * Splits a graph into consecutive segments: first all nodes that the first boundary needs, then those that the second
 * needs as well, and so on, then the rest.
 *
 * Segments without work are left out, so a boundary that the graph does not contain cuts nothing.
 *
 * @param boundaries - Sets of values, in the order in which they are computed.
 */
export function cutAt(graph: Graph, boundaries: readonly (readonly Value[])[]): readonly Graph[] {
  const groups = groupNodes(graph, boundaries).map((nodes) => ({ nodes, extra: [] }));
  const last = groups.findLastIndex(({ nodes }) => nodes.length > 0);
  const kept = groups.slice(0, Math.max(last + 1, 1));
  return segmentsOf(graph, kept, crossingValues(graph)).filter((segment) => segment !== undefined);
}

/** Callbacks by how many callbacks lie before them. */
function callbackLevels(graph: Graph): readonly (readonly Node[])[] {
  const depth = new Map<Value, number>();
  const levels: Node[][] = [];
  for (const node of graph.nodes) {
    const before = Math.max(0, ...node.inputs.map((value) => (value === undefined ? 0 : (depth.get(value) ?? 0))));
    const own = isCallback(node) ? before + 1 : before;
    for (const value of node.outputs) depth.set(value, own);
    if (!isCallback(node)) continue;
    const level = levels[own - 1] ?? [];
    levels[own - 1] = level;
    level.push(node);
  }
  return levels;
}

/**
 * Splits a graph at its callbacks into steps, in the order in which they can run.
 *
 * A segment computes what the next callbacks need and no more; callbacks that do not depend on one another follow the
 * same segment. A graph without callbacks is one segment.
 */
export function cutAtCallbacks(graph: Graph): readonly CutStep[] {
  const levels = callbackLevels(graph);
  const weights = new Set(graph.initializers.map(({ value }) => value));
  const demands = levels.map((level) => [...presentInputs(level)]);
  const groups = groupNodes(graph, demands).map((nodes, index) => ({
    nodes,
    extra: (demands[index] ?? []).filter((value) => weights.has(value)),
  }));
  const crossing = crossingValues(graph);
  const segments = segmentsOf(graph, groups, crossing);
  const names = (values: readonly (Value | undefined)[]): readonly string[] =>
    values.flatMap((value) => (value === undefined ? [] : [crossing(value).name]));
  return segments.flatMap((segment, index): CutStep[] => [
    ...(segment === undefined ? [] : [{ kind: "segment" as const, graph: segment }]),
    ...(levels[index] ?? []).map((node) => ({
      kind: "callback" as const,
      id: String(node.attributes["id"]),
      inputs: names(node.inputs),
      outputs: names(node.outputs),
    })),
  ]);
}
