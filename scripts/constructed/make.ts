/**
 * Writes the hand-constructed transformers as TransformerLens checkpoint folders.
 *
 * `npx tsx scripts/constructed/make.ts [FOLDER]`; default `fixtures/constructed`. Bytes depend on nothing but this folder.
 */
import { mkdir, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { writeSafetensors } from "../../src/io/index.js";
import { bigramMlp } from "./bigram-mlp.js";
import { induction } from "./induction.js";
import { selectorCopy } from "./selector-copy.js";
import type { Construction } from "./sketch.js";

/** Returns the three models. */
export function constructions(): readonly Construction[] {
  return [induction(), selectorCopy(), bigramMlp()];
}

/** Writes one model: `config.json`, `circuit.json`, `model.safetensors`. */
export async function writeConstruction(folder: string, construction: Construction): Promise<void> {
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, "config.json"), `${JSON.stringify(construction.config, null, 2)}\n`);
  await writeFile(join(folder, "circuit.json"), `${JSON.stringify(construction.circuit, null, 2)}\n`);
  await writeSafetensors(join(folder, "model.safetensors"), construction.weights);
}

const here = fileURLToPath(import.meta.url);

if (process.argv[1] !== undefined && resolve(process.argv[1]) === here) {
  const target = process.argv[2] ?? resolve(here, "../../../fixtures/constructed");
  for (const construction of constructions()) await writeConstruction(join(target, construction.name), construction);
}
