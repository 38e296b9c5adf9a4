/**
 * How much of the targets' probability flows through each node, what to prune, and how much the graph explains.
 *
 * Ameisen et al. 2025, "Circuit Tracing"; the definitions are circuit-tracer's.
 */

/** The edges into one node: signed, sources by node index. */
export interface EdgeRow {
  readonly sources: Int32Array;
  readonly weights: Float64Array;
}

/** A graph as rows, its nodes in an order in which every source of a node comes after it. */
export interface EdgeRows {
  /** Nodes in the order of computation: targets first. */
  readonly order: readonly number[];
  /** Rows by node; none for leaves. */
  readonly rows: ReadonlyMap<number, EdgeRow>;
  readonly size: number;
}

const tiny = 1e-10;

/** Sum of the sizes of a row's edges, at least 1e-10. */
function total({ weights }: EdgeRow): number {
  let sum = 0;
  for (const weight of weights) sum += Math.abs(weight);
  return Math.max(tiny, sum);
}

/**
 * Returns `Σ_k pᵀ Â^k` for each node, `Â` being absolute edges over their row's sum: one pass, because there are no cycles.
 *
 * @param start - The weight of each node as a target: probabilities of logits, 0 elsewhere.
 */
export function influence({ order, rows, size }: EdgeRows, start: ArrayLike<number>): Float64Array {
  const flow = new Float64Array(size);
  for (const node of order) {
    const row = rows.get(node);
    const own = (flow[node] ?? 0) + (start[node] ?? 0);
    if (row === undefined || own === 0) continue;
    const scale = own / total(row);
    const { sources, weights } = row;
    for (let i = 0; i < sources.length; i++) {
      const source = sources[i] ?? 0;
      flow[source] = (flow[source] ?? 0) + scale * Math.abs(weights[i] ?? 0);
    }
  }
  return flow;
}

/** Returns what must be kept to hold a share of the whole: the largest values, as few as reach it. */
export function keptByShare(values: ArrayLike<number>, share: number): readonly boolean[] {
  const sorted = Array.from({ length: values.length }, (_, i) => values[i] ?? 0).sort((a, b) => b - a);
  const whole = sorted.reduce((a, b) => a + b, 0);
  let sum = 0;
  let threshold = 0;
  for (const value of sorted) {
    sum += value;
    threshold = value;
    if (sum >= share * whole) break;
  }
  return Array.from({ length: values.length }, (_, i) => (values[i] ?? 0) >= threshold);
}

/** What pruning may touch. */
export interface PruneOptions {
  /** Share of the influence that nodes must hold. Default 0.8. */
  readonly nodeShare?: number;
  /** Share of the edges' flow that is kept. Default 0.98. */
  readonly edgeShare?: number;
}

/** What a node is to pruning. */
export type NodeRole = "always" | "error" | "feature";

/** Nodes and edges that are left. */
export interface Pruned {
  readonly nodes: readonly boolean[];
  readonly rows: ReadonlyMap<number, EdgeRow>;
}

function restricted({ rows }: EdgeRows, nodes: readonly boolean[]): ReadonlyMap<number, EdgeRow> {
  const kept = new Map<number, EdgeRow>();
  for (const [node, row] of rows) {
    if (nodes[node] === true)
      kept.set(
        node,
        keepEdges(row, (source) => nodes[source] === true),
      );
  }
  return kept;
}

/** Returns the edges of a row that pass a test of their source and their place in the row. */
export function keepEdges({ sources, weights }: EdgeRow, keep: (source: number, index: number) => boolean): EdgeRow {
  const indices = [...sources.keys()].filter((i) => keep(sources[i] ?? -1, i));
  return {
    sources: Int32Array.from(indices, (i) => sources[i] ?? 0),
    weights: Float64Array.from(indices, (i) => weights[i] ?? 0),
  };
}

/** Drops the edges that carry least of the flow. */
function pruneEdges(graph: EdgeRows, start: ArrayLike<number>, share: number): ReadonlyMap<number, EdgeRow> {
  const flow = influence(graph, start);
  const scores: number[] = [];
  for (const [node, row] of graph.rows) {
    const scale = ((flow[node] ?? 0) + (start[node] ?? 0)) / total(row);
    for (const weight of row.weights) scores.push(scale * Math.abs(weight));
  }
  const keep = keptByShare(scores, share);
  const rows = new Map<number, EdgeRow>();
  let next = 0;
  for (const [node, row] of graph.rows)
    rows.set(
      node,
      keepEdges(row, () => keep[next++] === true),
    );
  return rows;
}

/** Features and errors that nothing reads any more, and features that nothing feeds; until there are none. */
function dropLoose(rows: ReadonlyMap<number, EdgeRow>, nodes: readonly boolean[], roles: readonly NodeRole[]): Pruned {
  const read = new Set([...rows.values()].flatMap(({ sources }) => [...sources]));
  const isLoose = (node: number): boolean =>
    roles[node] !== "always" &&
    (!read.has(node) || (roles[node] === "feature" && (rows.get(node)?.sources.length ?? 0) === 0));
  const next = nodes.map((isKept, node) => isKept && !isLoose(node));
  if (next.every((isKept, node) => isKept === nodes[node])) return { nodes, rows };
  const left = restricted({ order: [], rows, size: nodes.length }, next);
  return dropLoose(left, next, roles);
}

/** Prunes nodes by influence, then edges by flow, then what hangs loose. Tokens and targets are always kept. */
export function prune(
  graph: EdgeRows,
  start: ArrayLike<number>,
  roles: readonly NodeRole[],
  { nodeShare = 0.8, edgeShare = 0.98 }: PruneOptions = {},
): Pruned {
  const byInfluence = keptByShare(influence(graph, start), nodeShare);
  const nodes = roles.map((role, node) => role === "always" || byInfluence[node] === true);
  const rows = pruneEdges({ ...graph, rows: restricted(graph, nodes) }, start, edgeShare);
  return dropLoose(rows, nodes, roles);
}

/** How much of a graph is explained by features and tokens, and not by errors. */
export interface GraphScores {
  /** Share of the influence that ends in tokens, of what ends in tokens or errors. */
  readonly replacement: number;
  /** Share of the inputs of nodes, weighted by their influence, that does not come from errors. */
  readonly completeness: number;
}

/** Computes both scores. */
export function graphScores(
  graph: EdgeRows,
  start: ArrayLike<number>,
  kinds: { readonly isToken: (node: number) => boolean; readonly isError: (node: number) => boolean },
): GraphScores {
  const flow = influence(graph, start);
  let [tokens, errors, explained, whole] = [0, 0, 0, 0];
  flow.forEach((value, node) => {
    if (kinds.isToken(node)) tokens += value;
    if (kinds.isError(node)) errors += value;
  });
  for (const [node, row] of graph.rows) {
    const weight = (flow[node] ?? 0) + (start[node] ?? 0);
    const fromErrors = row.weights.reduce(
      (sum, w, i) => sum + (kinds.isError(row.sources[i] ?? -1) ? Math.abs(w) : 0),
      0,
    );
    explained += weight * (1 - fromErrors / total(row));
    whole += weight;
  }
  return { replacement: tokens / Math.max(tiny, tokens + errors), completeness: explained / Math.max(tiny, whole) };
}
