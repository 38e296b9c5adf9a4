/** The part of a graph that gradients run through: what depends on the wanted values and reaches the outputs. */
import { GraphError } from "../core/index.js";
import { describeOp, describeValue, type GraphBuilder, type Node, type Value } from "../graph/index.js";
import type { CustomGradient } from "./custom.js";
import type { GradientOptions } from "./options.js";
import type { RuleEntry } from "./rule.js";
import { ruleOf } from "./rules.js";

/** One step back: a node with its rule, or a part of the graph with a rule of the caller's own. */
export type Step =
  | { readonly kind: "node"; readonly node: Node; readonly entry: RuleEntry; readonly place: () => string }
  | { readonly kind: "custom"; readonly custom: CustomGradient };

/** What {@link findRegion} finds. */
export interface Region {
  /** In the order of computation. */
  readonly steps: readonly Step[];
  /** Values that depend on a wanted one through derivatives that are not 0 everywhere. */
  readonly active: ReadonlySet<Value>;
  /** Ops that read a value. */
  readonly readers: ReadonlyMap<Value, ReadonlySet<string>>;
}

/** What the region is asked for. */
export interface RegionRequest {
  readonly outputs: readonly Value[];
  readonly wrt: readonly Value[];
  readonly options: GradientOptions;
}

/** Tells whether a value can have a gradient: it holds floating-point numbers. */
export function isFloat(value: Value | undefined): value is Value {
  return value?.dtype === "float32" || value?.dtype === "float64";
}

/** Returns what a step reads. */
export function stepInputs(step: Step): readonly (Value | undefined)[] {
  return step.kind === "node" ? step.node.inputs : step.custom.inputs;
}

/** Returns what a step makes. */
export function stepOutputs(step: Step): readonly Value[] {
  return step.kind === "node" ? step.node.outputs : [step.custom.output];
}

/** Every step of the graph; a custom part stands in front of the node that makes its output. */
function allSteps(builder: GraphBuilder, customs: readonly CustomGradient[]): readonly Step[] {
  const byOutput = new Map(customs.map((custom) => [custom.output, custom]));
  const { nodes } = builder;
  return nodes.flatMap((node, index): Step[] => {
    const count = nodes.length;
    const place = (): string => `node ${index + 1} of ${count}, ${describeOp(node.op, node.inputs)}`;
    const own: Step = { kind: "node", node, entry: ruleOf(node), place };
    const replaced = node.outputs.flatMap((value) => byOutput.get(value) ?? []);
    return [own, ...replaced.map((custom): Step => ({ kind: "custom", custom }))];
  });
}

/** Steps that some output depends on; a node whose outputs all have custom rules is not on the way. */
function neededSteps(steps: readonly Step[], outputs: readonly Value[]): readonly Step[] {
  const needed = new Set<Value | undefined>(outputs);
  const kept: Step[] = [];
  for (const step of steps.toReversed()) {
    if (!stepOutputs(step).some((value) => needed.has(value))) continue;
    kept.push(step);
    if (step.kind === "custom") needed.delete(step.custom.output);
    for (const value of stepInputs(step)) needed.add(value);
  }
  return kept.reverse();
}

function isBlocked(step: Step): boolean {
  return step.kind === "node" && typeof step.entry !== "function" && step.entry.kind === "zero";
}

function activeValues(steps: readonly Step[], { wrt, options }: RegionRequest): ReadonlySet<Value> {
  const stopped = new Set(options.stop);
  const replaced = new Set((options.custom ?? []).map(({ output }) => output));
  const active = new Set(wrt);
  for (const step of steps) {
    if (isBlocked(step) || !stepInputs(step).some((value) => value !== undefined && active.has(value))) continue;
    for (const value of stepOutputs(step)) {
      const isOwn = step.kind === "custom" || !replaced.has(value);
      if (isOwn && isFloat(value) && !stopped.has(value)) active.add(value);
    }
  }
  return active;
}

function readersOf(steps: readonly Step[]): ReadonlyMap<Value, ReadonlySet<string>> {
  const readers = new Map<Value, Set<string>>();
  for (const step of steps) {
    if (step.kind === "custom") continue;
    for (const value of step.node.inputs) {
      if (value === undefined) continue;
      const known = readers.get(value) ?? new Set<string>();
      readers.set(value, known.add(step.node.op));
    }
  }
  return readers;
}

function checkCustoms(builder: GraphBuilder, customs: readonly CustomGradient[]): void {
  for (const { output, inputs } of customs) {
    for (const value of [output, ...inputs]) builder.producer(value);
    const isMade = builder.producer(output).kind === "node";
    const reached = new Set<Value | undefined>([output]);
    for (const node of builder.nodes.toReversed())
      if (node.outputs.some((value) => reached.has(value))) for (const value of node.inputs) reached.add(value);
    const outside = isMade ? inputs.find((value) => !reached.has(value)) : output;
    if (outside === undefined) continue;
    throw new GraphError({
      where: `customGradient of ${describeValue(output)}`,
      got: isMade
        ? `the input ${describeValue(outside)}, which the output does not depend on`
        : "an output that no node makes",
      expected: "inputs that the output is computed from",
      fix: "Name values between which the graph computes something.",
    });
  }
}

/**
 * Finds the steps between the wanted values and the outputs.
 *
 * @throws GraphError when a custom rule names values of another builder, or inputs that its output does not depend on.
 */
export function findRegion(builder: GraphBuilder, request: RegionRequest): Region {
  const customs = request.options.custom ?? [];
  checkCustoms(builder, customs);
  const all = allSteps(builder, customs);
  const steps = neededSteps(all, request.outputs);
  const active = activeValues(steps, request);
  const onPath = steps.filter(
    (step) =>
      stepOutputs(step).some((value) => active.has(value)) &&
      stepInputs(step).some((value) => value !== undefined && active.has(value)),
  );
  return { steps: onPath, active, readers: readersOf(all) };
}

/** Returns why no gradient arrives at a value: the first ops on its way to the outputs that pass none. */
export function whyUnreached(builder: GraphBuilder, request: RegionRequest, value: Value): string {
  const steps = neededSteps(allSteps(builder, request.options.custom ?? []), request.outputs);
  const active = activeValues(steps, { ...request, wrt: [value] });
  const blocks = steps.flatMap((step) => {
    const reads = stepInputs(step).some((input) => input !== undefined && active.has(input));
    if (!reads || step.kind !== "node" || typeof step.entry === "function" || step.entry.kind !== "zero") return [];
    return [`${step.node.op} (${step.entry.reason})`];
  });
  const found = [...new Set(blocks)];
  return found.length === 0 ? "no path to the outputs" : `paths that only lead through ${found.join(", ")}`;
}
