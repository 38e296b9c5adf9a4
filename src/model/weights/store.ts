/** The weights of a checkpoint as graph values: mapped from their file, or embedded when they come from memory. */
import { InternalError } from "../../core/index.js";
import type { GraphBuilder, Value } from "../../graph/index.js";
import type { StoredTensor } from "../../io/index.js";
import type { WeightView } from "../components/context.js";

/** Bytes of a float32. */
const float32Bytes = 4;

/** Declares a stored float32 tensor, or a view of some of its rows, as an initializer that points into the file. */
export function mappedWeight(g: GraphBuilder, stored: StoredTensor, view?: WeightView): Value {
  const shape = view?.shape ?? stored.shape;
  const offset = stored.offset + (view?.offset ?? 0) * float32Bytes;
  const length = shape.reduce((a, b) => a * b, 1) * float32Bytes;
  if (offset + length > stored.offset + stored.length) {
    throw new InternalError({
      where: stored.name,
      got: `a view of ${length} bytes at ${offset - stored.offset}`,
      expected: `at most ${stored.length} bytes`,
      fix: "Report this as a bug of limpid.",
    });
  }
  const suffix = view === undefined ? "" : `@${view.offset ?? 0}[${shape.join(",")}]`;
  return g.weight(`${stored.name}${suffix}`, "float32", shape, { kind: "file", path: stored.path, offset, length });
}
