/** Sources of a frozen prompt in one order, and what a target reads of them without attention. */
import type { FrozenPrompt } from "../attribution/frozen.js";
import type { LinearModel } from "../attribution/linear-model.js";
import type { GraphNode } from "../attribution/nodes.js";
import type { WalkRow } from "../attribution/rows.js";
import { numbersOf, rowDot } from "../attribution/vectors.js";
import type { WalkTarget } from "../attribution/walker.js";
import type { FrozenStream } from "./frozen-stream.js";
import type { Descent } from "./stream-parts.js";

/** A number for each source of a {@link SourceList}. */
export type BySource = ArrayLike<number>;

/** Every source: features, errors by layer and position, tokens, positions, all biases as one. */
export class SourceList {
  readonly nodes: readonly GraphNode[];
  readonly #features: number;

  constructor(
    { nLayers, hasPositions }: LinearModel,
    { features, positions }: FrozenPrompt,
    tokens: readonly number[],
  ) {
    const nodes: GraphNode[] = features.map(({ layer, pos, feature, activation }) => {
      return { kind: "feature", layer, pos, feature, activation };
    });
    for (let layer = 0; layer < nLayers; layer++)
      for (let pos = 0; pos < positions; pos++) nodes.push({ kind: "error", layer, pos });
    tokens.forEach((token, pos) => nodes.push({ kind: "token", pos, token }));
    if (hasPositions) for (let pos = 0; pos < positions; pos++) nodes.push({ kind: "position", pos });
    nodes.push({ kind: "bias" });
    this.nodes = nodes;
    this.#features = features.length;
  }

  /** A row of the walk in the order of `nodes`. */
  weights(row: WalkRow): Float64Array {
    const out = new Float64Array(this.nodes.length);
    out.set(row.features);
    out.set(row.errors, this.#features);
    const tokens = this.#features + row.errors.length;
    out.set(row.tokens, tokens);
    const positions = tokens + row.tokens.length;
    if (positions + row.positions.length < out.length) out.set(row.positions, positions);
    const bias = [...row.attentionBias, ...row.decoderBias].reduce((a, b) => a + b, row.constant);
    out[out.length - 1] = bias;
    return out;
  }
}

/** What a node is worth to a descent, in the order of the walk's parts. */
function worth(stream: FrozenStream, node: GraphNode, descent: Descent, pos: number): number {
  if (!("pos" in node)) return node.kind === "bias" ? descent.bias : 0;
  return node.pos === pos ? worthAt(stream, node, descent) : 0;
}

/** What a node is worth at its own position. */
function worthAt(stream: FrozenStream, node: Extract<GraphNode, { pos: number }>, descent: Descent): number {
  const { frozen } = stream;
  const { pos } = node;
  if (node.kind === "target") return 0;
  if (node.kind === "token") return stream.embedded(descent.end, pos, "token");
  if (node.kind === "position") return stream.embedded(descent.end, pos, "position");
  const g = descent.atMlp.get(node.layer);
  if (g === undefined) return 0;
  if (node.kind === "error") return rowDot(frozen.rest[node.layer]?.error ?? [], pos, g);
  const decoder = frozen.dictionaries.get(node.layer)?.W_dec;
  return decoder === undefined ? 0 : node.activation * rowDot(numbersOf(decoder), node.feature, g);
}

/** What a target reads of each source at its own position, moved by no head. */
export function directParts(stream: FrozenStream, { nodes }: SourceList, target: WalkTarget): Float64Array {
  const descent = stream.descend(target);
  return Float64Array.from(nodes, (node) => worth(stream, node, descent, target.pos));
}
