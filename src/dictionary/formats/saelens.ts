/** SAELens folders: `cfg.json` and `sae_weights.safetensors`, of version 6 and older. */
import { join } from "node:path";
import { FormatError, UnsupportedError } from "../../core/index.js";
import { readJsonObject } from "../../io/index.js";
import type { Activation, DictionaryWeightName } from "../config.js";
import type { Dictionary } from "../dictionary.js";
import { assemble, mapWeight, sameThreshold, takeWeights, type WeightMap } from "./assemble.js";
import { hookNamed } from "./hook-names.js";
import { parseSaeLens, type SaeLensConfig, saeLensArchitectures } from "./saelens-config.js";
import { type DictionaryFormat, type DictionaryPlace, hooksOf } from "./types.js";
import { asWeight, type FileTensors, matrixSizes, numbersOf, openWeights, scalarOf } from "./weights.js";

/** Names of the files of the format. */
export const saeLensFiles = {
  config: "cfg.json",
  weights: "sae_weights.safetensors",
  sparsity: "sparsity.safetensors",
} as const;

function activationOf(config: SaeLensConfig, path: string): Activation {
  const kind = saeLensArchitectures[config.architecture]?.kind ?? "relu";
  if (kind !== "topk") return { kind };
  if (config.k !== undefined) return { kind, k: config.k, scalesByDecoderNorm: config.scalesByDecoderNorm };
  throw new FormatError({
    where: `${path}: k`,
    got: "nothing",
    expected: "the number of features that a TopK dictionary keeps",
    fix: "Get the original cfg.json.",
  });
}

/** The thresholds, under one of the names that they have had. */
async function thresholdOf(file: FileTensors): Promise<WeightMap> {
  const { tensors } = file;
  const [, nFeatures] = matrixSizes(file, "W_enc");
  const logs = tensors.get("log_threshold");
  const single = tensors.get("topk_threshold");
  if (tensors.has("threshold")) return takeWeights(file, { threshold: "threshold" });
  if (logs !== undefined) return new Map([["threshold", await mapWeight(await asWeight(logs), Math.exp)]]);
  if (single !== undefined) return new Map([["threshold", sameThreshold(await scalarOf(single), nFeatures)]]);
  return takeWeights(file, { threshold: "threshold" });
}

/** Version 5's scaling of activations after fine-tuning: `f · scale` before the decoder, so the decoder takes it. */
async function foldScale(file: FileTensors, config: SaeLensConfig, weights: WeightMap): Promise<void> {
  const scale = file.tensors.get("scaling_factor") ?? file.tensors.get("finetuning_scaling_factor");
  const rows = weights.get("W_dec");
  if (scale === undefined || rows === undefined) return;
  const factors = await numbersOf(scale);
  if (factors.every((factor) => Math.abs(factor - 1) <= 1e-5)) return;
  if (!config.hasFinetuningScale) {
    throw new FormatError({
      where: `${file.path}: scaling_factor`,
      got: "factors other than 1, and finetuning_scaling_factor is not true",
      expected: "a configuration that says what they are for",
      fix: "Set finetuning_scaling_factor in cfg.json if the dictionary was fine-tuned so; else remove the tensor.",
    });
  }
  const width = rows.shape[1] ?? 1;
  weights.set("W_dec", await mapWeight(rows, (value, i) => value * (factors[Math.floor(i / width)] ?? 1)));
}

async function weightsOf(file: FileTensors, config: SaeLensConfig, activation: Activation): Promise<WeightMap> {
  const names: DictionaryWeightName[] =
    activation.kind === "gated" ? ["W_enc", "b_gate", "b_mag", "r_mag"] : ["W_enc", "b_enc"];
  const all = [...names, "W_dec", "b_dec", ...(file.tensors.has("W_skip") ? (["W_skip"] as const) : [])];
  const weights = await takeWeights(file, Object.fromEntries(all.map((name) => [name, name])));
  if (activation.kind === "jumprelu") for (const [name, one] of await thresholdOf(file)) weights.set(name, one);
  await foldScale(file, config, weights);
  return weights;
}

/** SAELens normalises the input of a transcoder and leaves its output and skip alone; limpid undoes it on the output. */
function refuseNormalizedTranscoder(config: SaeLensConfig, path: string): void {
  if (!config.architecture.includes("transcoder") || config.normalization === "none") return;
  throw new UnsupportedError({
    where: path,
    got: `a transcoder with normalize_activations ${config.normalization}`,
    expected: "one without",
    fix: "Fold the normalisation into its weights before saving.",
  });
}

async function read(place: DictionaryPlace): Promise<Dictionary> {
  const path = join(place.folder, saeLensFiles.config);
  const json = await readJsonObject(path);
  const config = parseSaeLens(path, json);
  refuseNormalizedTranscoder(config, path);
  const activation = activationOf(config, path);
  const file = await openWeights(join(place.folder, saeLensFiles.weights));
  const weights = await weightsOf(file, config, activation);
  const { modelName, prependBos, contextSize, prefixes } = config;
  return assemble(place, {
    format: "SAELens",
    architecture: saeLensArchitectures[config.architecture]?.name ?? "standard",
    activation,
    ...hooksOf(place, path, {
      readHook: config.hookName === undefined ? undefined : hookNamed(config.hookName),
      writeHook: config.hookNameOut === undefined ? undefined : hookNamed(config.hookNameOut),
    }),
    subtractsDecoderBias: config.subtractsDecoderBias,
    normalization: config.normalization,
    ...(prefixes === undefined ? {} : { prefixes }),
    ...(modelName === undefined ? {} : { model: { name: modelName } }),
    ...(prependBos === undefined ? {} : { prependBos }),
    ...(contextSize === undefined ? {} : { contextSize }),
    weights,
    details: json,
  });
}

/** SAELens. */
export const saeLensFormat: DictionaryFormat = {
  name: "SAELens",
  signs: `${saeLensFiles.config} and ${saeLensFiles.weights}`,
  detects: ({ files, file }) =>
    files.includes(saeLensFiles.config) &&
    (file === undefined ? files.includes(saeLensFiles.weights) : file === saeLensFiles.weights),
  read,
};
