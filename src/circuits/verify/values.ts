/** Reads what nodes of a graph are worth in a run. */
import type { DictionarySet } from "../../dictionary/index.js";
import type { Model, Run } from "../../model/index.js";
import type { GraphNode } from "../attribution/nodes.js";

/** A function that reads a node's value. */
export type ReadNode = (run: Run, row: number, node: GraphNode) => number | undefined;

/** Reads the pre-activation of a feature, or a token's logit above the mean or another; undefined for other nodes. */
export function nodeValue(set: DictionarySet, cap: number | undefined): ReadNode {
  return (run, row, node) => {
    if (node.kind === "feature") return preActivation(set, run, row, node);
    if (node.kind !== "target" || node.token === undefined) return undefined;
    const logits = rawLogits(run, row, node.pos).map((x) => (cap === undefined ? x : cap * Math.atanh(x / cap)));
    const rest = node.versus === undefined ? logits.reduce((a, b) => a + b, 0) / logits.length : logits[node.versus];
    return (logits[node.token] ?? 0) - (rest ?? 0);
  };
}

function preActivation(
  set: DictionarySet,
  run: Run,
  row: number,
  node: Extract<GraphNode, { kind: "feature" }>,
): number {
  const { data, shape } = run.cache.get(set.layer(node.layer).hooks.actsPre);
  const [, positions = 0, width = 0] = shape;
  return Number(data[(row * positions + node.pos) * width + node.feature]);
}

function rawLogits({ logits }: Run, row: number, pos: number): Float64Array {
  const [, positions, vocab] = logits.shape;
  const start = (row * positions + pos) * vocab;
  return Float64Array.from({ length: vocab }, (_, id) => Number(logits.data[start + id]));
}

/** Returns the soft cap of a model's logits. */
export function softCap(model: Model): number | undefined {
  return model.config.outputLogitsSoftCap;
}
