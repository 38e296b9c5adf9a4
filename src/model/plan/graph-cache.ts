/** Remembers the graphs of recent requests, and the full graphs that others can be cut from. */

import type { Edit } from "../edits/types.js";
import { metricKey } from "../metric/request.js";
import { type BuiltGraph, selectGraph } from "./build.js";
import { buildFullGraph, type FullGraph, type ModelParts } from "./full-graph.js";
import type { GraphRequest, ResolvedEdit } from "./request.js";

/** Graphs kept: lists of nodes that they share with the full graph they were cut from. */
const capacity = 64;

/** Full graphs kept; each is a few hundred kilobytes of plain objects. */
const fullCapacity = 8;

/** Numbers objects by identity: an edit or a metric is immutable, so the same object builds the same nodes. */
class ObjectIds {
  readonly #ids = new WeakMap<object, number>();
  #next = 0;

  of(object: object): number {
    const known = this.#ids.get(object) ?? this.#next++;
    this.#ids.set(object, known);
    return known;
  }
}

/** Finds, builds and keeps full graphs, the last used ones first. */
class FullGraphs {
  readonly #parts: ModelParts;
  readonly #kept: { readonly key: string; readonly full: FullGraph }[] = [];

  constructor(parts: ModelParts) {
    this.#parts = parts;
  }

  /** Returns a full graph that has the nodes of a request; `key` holds everything about the request but its captures. */
  get(request: GraphRequest, key: string): FullGraph {
    const captures = new Set(request.captures);
    const index = this.#kept.findIndex((one) => one.key === key && answersFor(one.full, captures));
    const [known] = index < 0 ? [] : this.#kept.splice(index, 1);
    const found = known ?? { key, full: buildFullGraph(this.#parts, request) };
    this.#kept.unshift(found);
    this.#kept.length = Math.min(this.#kept.length, fullCapacity);
    return found.full;
  }
}

function answersFor({ answers }: FullGraph, captures: ReadonlySet<string>): boolean {
  for (const [name, isCaptured] of answers) if (captures.has(name) !== isCaptured) return false;
  return true;
}

/** What of an edit decides the graph, where that is less than the edit: one graph serves all masks of the same matrices. */
function shapeOf({ change }: Edit): readonly string[] | undefined {
  return change.kind === "keepWeights" ? [...(change.stored?.keys() ?? [])] : undefined;
}

/** Returns a lookup that builds a graph on the first request and returns the same object for equal ones. */
export function createGraphCache(parts: ModelParts): { get(request: GraphRequest): BuiltGraph } {
  const graphs = new Map<string, BuiltGraph>();
  const fulls = new FullGraphs(parts);
  const ids = new ObjectIds();
  return {
    get: (request) => {
      const numbered = (edits: readonly ResolvedEdit[]): unknown =>
        edits.map(({ edit, hooks }) => [shapeOf(edit) ?? ids.of(edit), hooks]);
      const edits = numbered(request.edits);
      const gradients = request.gradients && { ...request.gradients, edits: numbered(request.gradients.edits) };
      const shared = JSON.stringify({
        ...request,
        captures: [],
        edits,
        gradients,
        metric: metricKey(request.metric, (one) => ids.of(one)),
      });
      const key = `${JSON.stringify(request.captures)}${shared}`;
      const known = graphs.get(key) ?? selectGraph(fulls.get(request, shared), request);
      graphs.delete(key);
      graphs.set(key, known);
      const [oldest] = graphs.keys();
      if (graphs.size > capacity && oldest !== undefined) graphs.delete(oldest);
      return known;
    },
  };
}
