/**
 * The op table: which operations a graph may use, and how element types and shapes follow from inputs.
 *
 * One operator set serves all graphs. Rows state what the runtime has CPU kernels for, so a graph that builds also
 * loads.
 */
import { elementwise } from "./schema/elementwise.js";
import { indexing } from "./schema/indexing.js";
import { layout } from "./schema/layout.js";
import { matrix } from "./schema/matrix.js";
import { network } from "./schema/network.js";
import { reductions } from "./schema/reduction.js";
import type { OpSchema } from "./schema/types.js";

export { type EinsumEquation, parseEinsum } from "./schema/matrix.js";
export { type OpName, opNames } from "./schema/names.js";
export type { AttributeKind, InferContext, OpSchema, TypedShape } from "./schema/types.js";

/** Versions of the operator sets that every graph is written for. */
export const opsetVersions: Readonly<Record<string, number>> = { "": 23, "com.microsoft": 1, limpid: 1 };

/** Every row of the op table. */
export const opSchemas: readonly OpSchema[] = [
  ...elementwise,
  ...indexing,
  ...layout,
  ...matrix,
  ...network,
  ...reductions,
];

const byName: ReadonlyMap<string, OpSchema> = new Map(opSchemas.map((schema) => [schema.op, schema]));

/** Returns the row of an op; undefined when there is none, or none in `domain`. */
export function findSchema(op: string, domain?: string): OpSchema | undefined {
  const schema = byName.get(op);
  return domain === undefined || schema?.domain === domain ? schema : undefined;
}
