/** Llama Scope: `hyperparams.json` and `checkpoints/final.safetensors`, trained on inputs scaled to the norm √d. */
import { dirname, join } from "node:path";
import { UnsupportedError } from "../../core/index.js";
import { JsonFields, readJsonObject } from "../../io/index.js";
import type { ModuleWeight } from "../../model/index.js";
import type { Dictionary } from "../dictionary.js";
import { assemble, mapWeight, sameThreshold, takeWeights, type WeightMap } from "./assemble.js";
import { hookNamed } from "./hook-names.js";
import { kindOf } from "./locate.js";
import { type DictionaryFormat, type DictionaryPlace, hooksOf } from "./types.js";
import { openWeights, rowNorms, vector } from "./weights.js";

const weightsName = "checkpoints/final.safetensors";

/** The folder above `checkpoints` when the weights file itself was named. */
function root({ folder, file }: DictionaryPlace): string {
  return file === "final.safetensors" ? dirname(folder) : folder;
}

/** Factors from raw activations to the norm √d that the training saw. */
interface Scales {
  readonly read: number;
  readonly write: number;
}

function scalesOf(fields: JsonFields, width: number): Scales {
  const kind = fields.has("norm_activation")
    ? fields.word("norm_activation", ["dataset-wise", "inference", "none"])
    : "dataset-wise";
  if (kind !== "dataset-wise") return { read: 1, write: 1 };
  const norms = fields.inner("dataset_average_activation_norm");
  const read = norms.number("in");
  return { read: Math.sqrt(width) / read, write: Math.sqrt(width) / (norms.optionalNumber("out") ?? read) };
}

/** Folds the scales into the weights: the encoder reads raw activations, the decoder writes them. */
async function folded(weights: WeightMap, { read, write }: Scales): Promise<WeightMap> {
  const out: WeightMap = new Map(weights);
  for (const [name, weight] of weights) {
    const factor = name === "W_enc" ? read : name === "W_dec" || name === "b_dec" ? 1 / write : 1;
    if (factor !== 1) out.set(name, await mapWeight(weight, (value) => value * factor));
  }
  return out;
}

/**
 * Returns the thresholds in the units of the folded encoder.
 *
 * The file's one threshold θ is for raw activations with unit decoder rows, so with the scales of the training it is θ times
 * the scale; where the sparsity includes the decoder norm, features are compared after multiplication by theirs.
 */
async function thresholds(fields: JsonFields, scales: Scales, weights: WeightMap): Promise<ModuleWeight> {
  const threshold = fields.number("jump_relu_threshold");
  const decoder = weights.get("W_dec");
  const nFeatures = weights.get("W_enc")?.shape[1] ?? 0;
  const includesNorm = fields.optionalFlag("sparsity_include_decoder_norm") ?? false;
  if (!includesNorm || decoder === undefined) return sameThreshold(threshold * scales.read, nFeatures);
  return vector((await rowNorms(decoder)).map((norm) => (threshold * scales.write) / Math.max(norm, 1e-8)));
}

function checkKind(fields: JsonFields): void {
  const problems: readonly (readonly [boolean, string])[] = [
    [
      !["sae", undefined].includes(fields.optionalText("sae_type")),
      `sae_type ${fields.optionalText("sae_type") ?? ""}`,
    ],
    [(fields.optionalText("act_fn") ?? "jumprelu") !== "jumprelu", `act_fn ${fields.optionalText("act_fn") ?? ""}`],
    [fields.optionalFlag("use_glu_encoder") === true, "a GLU encoder"],
    [fields.optionalFlag("apply_decoder_bias_to_pre_encoder") === true, "apply_decoder_bias_to_pre_encoder"],
  ];
  const problem = problems.find(([isSo]) => isSo)?.[1];
  if (problem === undefined) return;
  throw new UnsupportedError({
    where: fields.where,
    got: problem,
    expected: "a JumpReLU SAE or transcoder as Llama Scope publishes them",
    fix: "Use one of the published dictionaries, or convert it.",
  });
}

function hookOf(fields: JsonFields, key: string): string | undefined {
  const name = fields.optionalText(key);
  return name === undefined ? undefined : hookNamed(name);
}

async function read(place: DictionaryPlace): Promise<Dictionary> {
  const folder = root(place);
  const path = join(folder, "hyperparams.json");
  const fields = new JsonFields(path, await readJsonObject(path));
  checkKind(fields);
  const raw = await takeWeights(await openWeights(join(folder, weightsName)), {
    W_enc: { from: "encoder.weight", isTransposed: true },
    b_enc: "encoder.bias",
    W_dec: { from: "decoder.weight", isTransposed: true },
    b_dec: "decoder.bias",
  });
  const scales = scalesOf(fields, raw.get("W_enc")?.shape[0] ?? 0);
  const threshold = await thresholds(fields, scales, raw);
  return assemble(place, {
    format: "Llama Scope",
    architecture: "jumprelu",
    activation: { kind: "jumprelu" },
    ...hooksOf(place, path, {
      readHook: hookOf(fields, "hook_point_in"),
      writeHook: hookOf(fields, "hook_point_out"),
    }),
    subtractsDecoderBias: false,
    weights: new Map([...(await folded(raw, scales)), ["threshold", threshold]]),
    details: fields.json,
  });
}

/** Llama Scope. */
export const llamaScopeFormat: DictionaryFormat = {
  name: "Llama Scope",
  signs: `hyperparams.json and ${weightsName}`,
  detects: async (place) => {
    if (place.file === undefined) return place.files.includes("hyperparams.json") && place.files.includes(weightsName);
    return place.file === "final.safetensors" && (await kindOf(join(root(place), "hyperparams.json"))) === "file";
  },
  read,
};
