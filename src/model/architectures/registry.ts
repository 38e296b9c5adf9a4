/** Every architecture that limpid knows; adding one means one file and one line here. */
import { UnsupportedError } from "../../core/index.js";
import type { Architecture } from "./architecture.js";
import { gemma2 } from "./gemma2.js";
import { gptNeox } from "./gpt-neox.js";
import { gpt2 } from "./gpt2.js";
import { llama } from "./llama.js";
import { mistral } from "./mistral.js";
import { qwen2, qwen3 } from "./qwen.js";
import { transformerLens } from "./transformer-lens.js";

/** The known architectures. */
export const architectures: readonly Architecture[] = [
  gpt2,
  gptNeox,
  llama,
  mistral,
  qwen2,
  qwen3,
  gemma2,
  transformerLens,
];

/** Finds the architecture that a configuration belongs to. */
export function findArchitecture(raw: Readonly<Record<string, unknown>>, where: string): Architecture {
  const found = architectures.find((architecture) => architecture.matches(raw));
  if (found !== undefined) return found;
  const modelType = raw["model_type"];
  throw new UnsupportedError({
    where,
    got:
      typeof modelType === "string" ? `the architecture "${modelType}"` : "a configuration that names no architecture",
    expected: `one of ${architectures.map(({ name }) => name).join(", ")}`,
    fix: "Load another checkpoint, or save this one with TransformerLens names and configuration.",
  });
}
