/**
 * How much of an attribution graph flows through each head.
 *
 * Edges pass heads on their way. What a head brings from one position to another for a node is its pattern there, times its
 * values, along the direction that the node reads; the sizes are weighted as influence is, by the node's own influence over
 * the sum of its edges' sizes. An edge that several heads moved in turn counts for each of them.
 */
import { InputError, type LongCallOptions, progressOf, throwIfAborted } from "../../core/index.js";
import type { DictionarySet } from "../../dictionary/index.js";
import type { Model } from "../../model/index.js";
import { Engine, type RawTensor } from "../../runtime/index.js";
import { chosenTargets, type LogitChoice, targetHooks } from "../attribution/choice.js";
import { type FrozenPrompt, freezePrompt } from "../attribution/frozen.js";
import type { AttributionGraph } from "../attribution/graph.js";
import { type LinearModel, linearModel } from "../attribution/linear-model.js";
import { featureTarget } from "../attribution/targets.js";
import { walkInput, walkOutput } from "../attribution/walk.js";
import { type RowsContext, startKey, Walker, type WalkTarget } from "../attribution/walker.js";
import { FrozenStream, streamHooks } from "../paths/frozen-stream.js";
import { checkSameGraph } from "../verify/changed-runs.js";
import { GraphHeads } from "./result.js";

/** Options of {@link graphHeads}. */
export interface GraphHeadsOptions extends LongCallOptions {
  /** What the graph was asked for, when that was a feature or a direction; logits are read from the graph. */
  readonly target?: LogitChoice["target"];
  /** Default `"float32"`. */
  readonly precision?: "float32" | "float64";
  /** Nodes walked at a time. Default 128. */
  readonly batch?: number;
}

/** What the graph was asked for. */
function choiceOf(graph: AttributionGraph, asked: LogitChoice["target"]): LogitChoice {
  if (asked !== undefined && ("feature" in asked || "direction" in asked)) return { target: asked };
  const targets = graph.nodes.flatMap((node) => (node.kind === "target" ? [node] : []));
  const [first] = targets;
  const tokens = targets.flatMap(({ token }) => token ?? []);
  if (first === undefined || tokens.length < targets.length) {
    throw new InputError({
      where: "graphHeads: target",
      got: `a graph of ${first?.label ?? "nothing"}, and no target`,
      expected: "the feature or direction that the graph was made for",
      fix: "Pass the same target as to attributionGraph.",
    });
  }
  const { pos, token = 0, versus } = first;
  return { target: versus === undefined ? tokens : { logitDiff: [token, versus] }, pos };
}

/** Every node that reads others, as a direction times what its edges weigh in the influence. */
async function weighted(
  model: Model,
  { linear, frozen }: Pick<RowsContext, "frozen" | "linear">,
  graph: AttributionGraph,
  choice: LogitChoice,
): Promise<readonly WalkTarget[]> {
  const tops = await chosenTargets(model, linear, frozen, choice);
  const influence = graph.influence();
  let top = 0;
  return graph.nodes.flatMap((node, index) => {
    const own = node.kind === "target" ? node.weight : (influence[index] ?? 0);
    const size = graph.edgesInto(index).reduce((sum, { weight }) => sum + Math.abs(weight), 0);
    const target =
      node.kind === "target"
        ? tops[top++]
        : node.kind === "feature"
          ? featureTarget(linear, frozen, { ...node, preActivation: 0 })
          : undefined;
    if (target === undefined || own === 0 || size === 0) return [];
    const direction = Float64Array.from(target.direction, (x) => (x * own) / size);
    return [{ ...target, direction }];
  });
}

/** Targets that begin at one place, by position, in batches. */
function batches(targets: readonly WalkTarget[], size: number): readonly (readonly WalkTarget[])[] {
  const byPlace = new Map<string, WalkTarget[]>();
  for (const target of targets)
    byPlace.set(startKey(target.start), [...(byPlace.get(startKey(target.start)) ?? []), target]);
  return [...byPlace.values()].flatMap((own) => {
    own.sort((a, b) => a.pos - b.pos);
    return Array.from({ length: Math.ceil(own.length / size) }, (_, i) => own.slice(i * size, (i + 1) * size));
  });
}

/** The frozen prompt with the values of every head beside it. */
function withValues(stream: FrozenStream, precision: "float32" | "float64"): FrozenPrompt {
  const { frozen, linear } = stream;
  const { nHeads, dHead } = linear;
  const values = linear.blocks.map((_, layer): readonly [string, RawTensor] => {
    const numbers = stream.valuesOf(layer);
    const data = precision === "float64" ? numbers : Float32Array.from(numbers);
    return [walkInput.values(layer), { dtype: precision, shape: [nHeads, frozen.positions, dHead], data }];
  });
  return { ...frozen, feeds: new Map([...frozen.feeds, ...values]) };
}

/** Adds `[head, from, to]` of a walk over the first positions. */
function add(flows: Float64Array, { data, shape }: RawTensor, positions: number): void {
  const [heads = 0, reach = 0] = shape;
  const numbers = data as Float32Array;
  for (let head = 0; head < heads; head++)
    for (let from = 0; from < reach; from++)
      for (let to = 0; to < reach; to++) {
        const at = (head * positions + from) * positions + to;
        flows[at] = (flows[at] ?? 0) + (numbers[(head * reach + from) * reach + to] ?? 0);
      }
}

async function walkAll(
  context: RowsContext,
  targets: readonly WalkTarget[],
  options: GraphHeadsOptions,
): Promise<readonly Float64Array[]> {
  const { linear, frozen } = context;
  const { batch = 128, signal } = options;
  const report = progressOf(options);
  const size = linear.nHeads * frozen.positions ** 2;
  const flows = linear.blocks.map(() => new Float64Array(size));
  const walker = new Walker(context, "heads", true);
  let done = 0;
  try {
    for (const part of batches(targets, batch)) {
      throwIfAborted(signal, "graphHeads");
      report?.({ done, total: targets.length, label: "heads of nodes" });
      const results = await walker.run(part);
      for (const [layer, own] of flows.entries()) {
        const found = results[walkOutput.heads(layer)];
        if (found !== undefined) add(own, found, frozen.positions);
      }
      done += part.length;
    }
    report?.({ done, total: targets.length, label: "heads of nodes" });
    return flows;
  } finally {
    await walker.close();
  }
}

async function flowsOf(
  model: Model,
  graph: AttributionGraph,
  linear: LinearModel,
  given: { readonly frozen: FrozenPrompt; readonly choice: LogitChoice; readonly options: GraphHeadsOptions },
): Promise<readonly Float64Array[]> {
  const { choice, options } = given;
  const { precision = "float32" } = options;
  const { tokens, firstPosition } = graph.provenance;
  const frozen = withValues(new FrozenStream(linear, given.frozen, { tokens, firstPosition }), precision);
  const targets = await weighted(model, { linear, frozen }, graph, choice);
  const engine = Engine.create({});
  try {
    return await walkAll({ linear, frozen, precision, engine }, targets, options);
  } finally {
    await engine.close();
  }
}

/**
 * Returns how much of a graph flows through each head, and from where to where.
 *
 * Prune the graph first to ask for its main part only. Why a head looked where it did: {@link attentionCauses}.
 *
 * @param set - What the graph was made with.
 * @throws InputError for a graph of another model or other dictionaries, and for one of a direction or a feature without
 *   `target`.
 */
export async function graphHeads(
  model: Model,
  graph: AttributionGraph,
  set?: DictionarySet,
  options: GraphHeadsOptions = {},
): Promise<GraphHeads> {
  const { precision = "float32" } = options;
  const { tokens, firstPosition } = graph.provenance;
  const linear = await linearModel(model);
  const choice = choiceOf(graph, options.target);
  const capture = [...targetHooks(model, choice), ...streamHooks(linear)];
  const frozen = await freezePrompt(model, tokens, set, { linear, precision, firstPosition, capture });
  checkSameGraph(graph, set, frozen.run);
  const flows = await flowsOf(model, graph, linear, { frozen, choice, options });
  const shape = { layers: linear.nLayers, heads: linear.nHeads };
  return new GraphHeads({ prompt: graph.prompt, tokens, shape, flows });
}
