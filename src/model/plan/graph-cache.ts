/** Remembers the graphs of recent requests, so that asking again costs nothing. */
import type { Edit } from "../edits/types.js";
import { type BuiltGraph, buildGraph, type ModelParts } from "./build.js";
import type { GraphRequest } from "./request.js";

/** Graphs kept; each is a few hundred kilobytes of plain objects. */
const capacity = 64;

/** Numbers edits by identity: an edit is immutable, so the same object builds the same nodes. */
class EditIds {
  readonly #ids = new WeakMap<Edit, number>();
  #next = 0;

  of(edit: Edit): number {
    const known = this.#ids.get(edit) ?? this.#next++;
    this.#ids.set(edit, known);
    return known;
  }
}

/** Returns a lookup that builds a graph on the first request and returns the same object for equal ones. */
export function createGraphCache(parts: ModelParts): { get(request: GraphRequest): BuiltGraph } {
  const graphs = new Map<string, BuiltGraph>();
  const ids = new EditIds();
  return {
    get: (request) => {
      const edits = request.edits.map(({ edit, hooks }) => [ids.of(edit), hooks]);
      const key = JSON.stringify({ ...request, edits });
      const known = graphs.get(key) ?? buildGraph(parts, request);
      graphs.delete(key);
      graphs.set(key, known);
      const [oldest] = graphs.keys();
      if (graphs.size > capacity && oldest !== undefined) graphs.delete(oldest);
      return known;
    },
  };
}
