/** Architectures by name. */
import { InputError, nearestHint } from "../../core/index.js";
import type { ArchitectureName } from "../config.js";
import type { Architecture } from "./architecture.js";
import { type BatchTopKConfig, batchTopK } from "./batch-topk.js";
import { type GatedConfig, gated } from "./gated.js";
import { type JumpReLUConfig, jumprelu } from "./jumprelu.js";
import { type MatryoshkaConfig, matryoshkaBatchTopK } from "./matryoshka-batch-topk.js";
import { type StandardConfig, standard } from "./standard.js";
import { type TopKConfig, topk } from "./topk.js";

/** The options of one architecture; `name` says of which. */
export type ArchitectureConfig =
  | StandardConfig
  | GatedConfig
  | TopKConfig
  | BatchTopKConfig
  | JumpReLUConfig
  | MatryoshkaConfig;

/** Names of all architectures. */
export const architectureNames: readonly ArchitectureName[] = [
  "standard",
  "gated",
  "topk",
  "batch_topk",
  "jumprelu",
  "matryoshka_batch_topk",
];

/**
 * Returns an architecture by its options.
 *
 * @throws InputError for an unknown name or options out of range.
 */
export function architectureOf(config: ArchitectureConfig): Architecture {
  switch (config.name) {
    case "standard":
      return standard(config);
    case "gated":
      return gated(config);
    case "topk":
      return topk(config);
    case "batch_topk":
      return batchTopK(config);
    case "jumprelu":
      return jumprelu(config);
    case "matryoshka_batch_topk":
      return matryoshkaBatchTopK(config);
    default:
      throw unknownName(config);
  }
}

function unknownName(config: never): InputError {
  const name = String((config as { readonly name?: unknown }).name);
  return new InputError({
    where: "dictionary: architecture",
    got: `"${name}"`,
    expected: `one of ${architectureNames.join(", ")}`,
    fix: `Correct the name.${nearestHint(name, architectureNames)}`,
  });
}
