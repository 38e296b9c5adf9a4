/** From walked rows to a graph: nodes in order, edges by node, and how exactly they sum. */
import type { FrozenPrompt } from "./frozen.js";
import type { Certificate, GraphParts } from "./graph.js";
import type { EdgeRow } from "./influence.js";
import type { LinearModel } from "./linear-model.js";
import type { NamedTarget } from "./logits.js";
import { type GraphNode, nodeId } from "./nodes.js";
import type { WalkRow } from "./rows.js";

/** A target and what every source gives to it. */
export interface TargetRow {
  readonly target: NamedTarget;
  readonly row: WalkRow;
}

/** The rows of a graph. */
export interface Walked {
  readonly tops: readonly TargetRow[];
  /** Rows of features, by index of `FrozenPrompt.features`. */
  readonly found: ReadonlyMap<number, WalkRow>;
  /** Active features below the targets: all before this index. */
  readonly below: number;
}

/** Returns the size of everything in a row but its features. */
export function absoluteRest({ errors, tokens, positions, attentionBias, decoderBias, constant }: WalkRow): number {
  const own = Math.abs(bias({ attentionBias, decoderBias, constant }));
  return own + sumOfSizes(errors) + sumOfSizes(tokens) + sumOfSizes(positions);
}

function sumOfSizes(numbers: Float32Array | Float64Array): number {
  let sum = 0;
  for (const value of numbers) sum += Math.abs(value);
  return sum;
}

function bias({
  attentionBias,
  decoderBias,
  constant,
}: Pick<WalkRow, "attentionBias" | "constant" | "decoderBias">): number {
  return [...attentionBias, ...decoderBias].reduce((a, b) => a + b, constant);
}

/** Collects the edges into one node; those of weight 0 are none. */
class EdgeList {
  readonly #sources: Int32Array;
  readonly #weights: Float64Array;
  #count = 0;

  constructor(most: number) {
    this.#sources = new Int32Array(most);
    this.#weights = new Float64Array(most);
  }

  add(source: number, weight: number): void {
    if (weight === 0) return;
    this.#sources[this.#count] = source;
    this.#weights[this.#count] = weight;
    this.#count++;
  }

  /** Adds an edge from each of the nodes that begin at `first`. */
  addAll(first: number, weights: ArrayLike<number>): void {
    for (let i = 0; i < weights.length; i++) this.add(first + i, weights[i] ?? 0);
  }

  row(): EdgeRow {
    return { sources: this.#sources.slice(0, this.#count), weights: this.#weights.slice(0, this.#count) };
  }
}

/** Nodes of a graph, and where each kind begins. */
interface NodeList {
  readonly nodes: readonly GraphNode[];
  /** Indices of `FrozenPrompt.features`, from the last layer down. */
  readonly features: readonly number[];
  readonly firstFeature: number;
  readonly firstError: number;
  readonly firstToken: number;
  readonly firstPosition: number;
  readonly bias: number;
  /** Indices of `FrozenPrompt.features` that have no node; the last node stands for them, where there are any. */
  readonly omitted: readonly number[];
}

function targetNode({ target: { pos, label, weight, token, versus } }: TargetRow): GraphNode {
  const tokens = { ...(token === undefined ? {} : { token }), ...(versus === undefined ? {} : { versus }) };
  return { kind: "target", pos, label, weight, ...tokens };
}

/** Targets, features from the last layer down, errors, tokens, positions, biases, features that were left out. */
function listNodes(
  linear: LinearModel,
  frozen: FrozenPrompt,
  { tops, found, below }: Walked,
  tokens: readonly number[],
): NodeList {
  const kept = [...found.keys()].sort((a, b) => b - a);
  const features = kept.flatMap((index): GraphNode[] => {
    const active = frozen.features[index];
    if (active === undefined) return [];
    const { layer, pos, feature, activation } = active;
    return [{ kind: "feature", layer, pos, feature, activation }];
  });
  const errors = (linear.hasMlps ? linear.blocks : []).flatMap((_, layer) =>
    tokens.map((_token, pos): GraphNode => ({ kind: "error", layer, pos })),
  );
  const texts = tokens.map((token, pos): GraphNode => ({ kind: "token", pos, token }));
  const positions = (linear.hasPositions ? tokens : []).map((_, pos): GraphNode => ({ kind: "position", pos }));
  const firstError = tops.length + features.length;
  const firstToken = firstError + errors.length;
  const omitted = Array.from({ length: below }, (_, index) => index).filter((index) => !found.has(index));
  const leaves: readonly GraphNode[] =
    omitted.length === 0 ? [{ kind: "bias" }] : [{ kind: "bias" }, { kind: "remainder" }];
  const firstPosition = firstToken + texts.length;
  return {
    nodes: [...tops.map(targetNode), ...features, ...errors, ...texts, ...positions, ...leaves],
    features: kept,
    firstFeature: tops.length,
    firstError,
    firstToken,
    firstPosition,
    bias: firstPosition + positions.length,
    omitted,
  };
}

function edgesOf(list: NodeList, row: WalkRow, hasPositions: boolean): EdgeRow {
  const edges = new EdgeList(list.nodes.length);
  list.features.forEach((index, i) => {
    edges.add(list.firstFeature + i, row.features[index] ?? 0);
  });
  if (list.firstToken > list.firstError) edges.addAll(list.firstError, row.errors);
  edges.addAll(list.firstToken, row.tokens);
  if (hasPositions) edges.addAll(list.firstPosition, row.positions);
  edges.add(list.bias, bias(row));
  if (list.omitted.length > 0)
    edges.add(
      list.bias + 1,
      list.omitted.reduce((sum, index) => sum + (row.features[index] ?? 0), 0),
    );
  return edges.row();
}

/** Puts rows into the order of nodes, and checks that each sums to its node. */
export function assemble(
  linear: LinearModel,
  frozen: FrozenPrompt,
  walked: Walked,
  tokens: readonly number[],
): Pick<GraphParts, "certificate" | "nodes" | "rows"> {
  const list = listNodes(linear, frozen, walked, tokens);
  const own = [
    ...walked.tops.map(({ row }) => row),
    ...list.features.flatMap((index) => walked.found.get(index) ?? []),
  ];
  const rows = new Map(own.map((row, node) => [node, edgesOf(list, row, linear.hasPositions)]));
  return { nodes: list.nodes, rows, certificate: certify(list.nodes, own) };
}

function certify(nodes: readonly GraphNode[], rows: readonly WalkRow[]): Certificate {
  let worst = { worst: 0, at: "no node" };
  for (const [index, row] of rows.entries()) {
    const size = sumOfSizes(row.features) + absoluteRest(row);
    const distance = Math.abs(row.residual) / Math.max(size, 1e-30);
    if (distance > worst.worst) worst = { worst: distance, at: nodeId(nodes[index] ?? { kind: "bias" }) };
  }
  return { ...worst, checked: rows.length };
}
