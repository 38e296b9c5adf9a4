/** From a request to its graph: what is asked is cut from the full decoder, and every edit is shown to matter. */
import { UnreachedEditError, UnsupportedError } from "../../core/index.js";
import { ancestors, type Graph, type Output, prune, type Value } from "../../graph/index.js";
import { capturePrefix, checkPrefix, type DecoderFacts, type FullGraph, readOnlyPoints } from "./full-graph.js";
import type { GraphRequest, ResolvedEdit } from "./request.js";

export { capturePrefix, checkPrefix, type HookPoint, type ModelParts } from "./full-graph.js";

/** A finished graph with what is needed to feed it and to read its outputs. */
export interface BuiltGraph extends DecoderFacts {
  readonly graph: Graph;
}

function checkCaptured(outputs: ReadonlySet<string>, request: GraphRequest): void {
  const lost = request.captures.find((name) => !outputs.has(`${capturePrefix}${name}`));
  if (lost === undefined) return;
  throw new UnsupportedError({
    where: `capture of ${lost}`,
    got: "a hook point that this run does not pass",
    expected: "a hook point between the first and the last layer of the run",
    fix: "Check startAtLayer, stopAtLayer, layers and logits.",
  });
}

/** Every edit must have acted, and must be able to change something that was asked for. */
function checkEdits({ applied }: FullGraph, request: GraphRequest, needed: ReadonlySet<Value>): void {
  request.edits.forEach((resolved, index) => {
    for (const hook of resolved.hooks) {
      const sites = applied.filter((one) => one.isGradient !== true && one.index === index && one.hook === hook);
      if (sites.length === 0) throw notOnPath(resolved, hook);
      if (!sites.some(({ value }) => needed.has(value)) && !isReadInside(resolved, hook, request))
        throw unreached(resolved, hook, request);
    }
  });
}

/** Whether hook points inside a module are asked for, such as a dictionary's activations. */
function isReadInside({ edit }: ResolvedEdit, hook: string, { captures }: GraphRequest): boolean {
  return edit.change.kind === "module" && captures.some((name) => name.startsWith(`${hook}.`));
}

function notOnPath({ edit }: ResolvedEdit, hook: string): UnsupportedError {
  const isReadOnly = readOnlyPoints.includes(hook);
  return new UnsupportedError({
    where: `edit.${edit.name} at ${hook}`,
    got: isReadOnly ? "a hook point that can only be read" : "a hook point that this run does not pass",
    expected: "a hook point on the way to an output",
    fix: isReadOnly ? "Change the input instead." : "Check startAtLayer, stopAtLayer and layers.",
  });
}

function unreached({ edit }: ResolvedEdit, hook: string, request: GraphRequest): UnreachedEditError {
  const asked = [
    ...request.captures.slice(-3),
    ...(request.logits === "none" ? [] : ["logits"]),
    ...(request.metric === undefined ? [] : [`metric ${request.metric.metric.name}`]),
  ];
  return new UnreachedEditError({
    where: `edit.${edit.name} at ${hook}`,
    got: `an edit that cannot change what was asked for (${asked.join(", ") || "nothing"})`,
    expected: "an edit upstream of a requested output, not overwritten by a later edit",
    fix: "Ask for logits or a later hook point, or remove the edit.",
  });
}

/** Names of the outputs that a request asks for, in the order of the full graph: all but other captures, and checks. */
function wantedOutputs({ graph }: FullGraph, request: GraphRequest): readonly Output[] {
  const captured = new Set(request.captures.map((name) => `${capturePrefix}${name}`));
  const isOther = (name: string): boolean => name.startsWith(capturePrefix) && !captured.has(name);
  return graph.outputs.filter(({ name }) => !isOther(name) && !name.startsWith(checkPrefix));
}

/** Checks of the stream where the run passes it. */
function passedChecks({ graph, stream }: FullGraph, needed: ReadonlySet<Value>): readonly Output[] {
  const passed = new Set(stream.flatMap((value, step) => (needed.has(value) ? [`${checkPrefix}${step}`] : [])));
  return graph.outputs.filter(({ name }) => passed.has(name));
}

/**
 * Cuts the graph of a request from a full graph that answers for it.
 *
 * @throws UnsupportedError when a captured or edited hook point is not passed; UnreachedEditError when an edit cannot
 *   change what is asked for.
 */
export function selectGraph(full: FullGraph, request: GraphRequest): BuiltGraph {
  const { graph, answers: _, ...facts } = full;
  checkCaptured(new Set(graph.outputs.map(({ name }) => name)), request);
  const wanted = wantedOutputs(full, request);
  const needed = ancestors(
    graph,
    wanted.map(({ value }) => value),
  );
  checkEdits(full, request, needed);
  const outputs = [...wanted, ...passedChecks(full, needed)].map(({ name }) => name);
  return { ...facts, graph: prune(graph, outputs) };
}
