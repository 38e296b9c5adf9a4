/** The configuration of an SAELens dictionary, of version 6 or older, in one vocabulary. */
import { UnsupportedError } from "../../core/index.js";
import { JsonFields } from "../../io/index.js";
import type { ArchitectureName, InputNormalization } from "../config.js";

/** What limpid needs of a `cfg.json`. */
export interface SaeLensConfig {
  readonly architecture: string;
  readonly k?: number;
  readonly scalesByDecoderNorm: boolean;
  readonly subtractsDecoderBias: boolean;
  readonly normalization: InputNormalization;
  readonly hookName: string | undefined;
  readonly hookNameOut: string | undefined;
  readonly modelName: string | undefined;
  readonly prependBos: boolean | undefined;
  readonly contextSize: number | undefined;
  /** Version 5 scaled activations after fine-tuning by a tensor `scaling_factor`. */
  readonly hasFinetuningScale: boolean;
  readonly prefixes: readonly number[] | undefined;
  /** The version that wrote it, when it says. */
  readonly version: string | undefined;
}

/** How each of SAELens's architectures is used. */
export const saeLensArchitectures: Readonly<
  Record<string, { readonly name: ArchitectureName; readonly kind: "relu" | "topk" | "jumprelu" | "gated" }>
> = {
  standard: { name: "standard", kind: "relu" },
  topk: { name: "topk", kind: "topk" },
  gated: { name: "gated", kind: "gated" },
  jumprelu: { name: "jumprelu", kind: "jumprelu" },
  batchtopk: { name: "batch_topk", kind: "jumprelu" },
  matryoshka_batchtopk: { name: "matryoshka_batch_topk", kind: "jumprelu" },
  transcoder: { name: "standard", kind: "relu" },
  skip_transcoder: { name: "standard", kind: "relu" },
  jumprelu_transcoder: { name: "jumprelu", kind: "jumprelu" },
  jumprelu_skip_transcoder: { name: "jumprelu", kind: "jumprelu" },
};

/** Keys that version 6 renamed. */
const renamed: Readonly<Record<string, string>> = {
  hook_point: "hook_name",
  hook_point_head_index: "hook_head_index",
  activation_fn_str: "activation_fn",
};

function isBefore6(fields: JsonFields): boolean {
  const version = fields.optionalText("sae_lens_version") ?? fields.inner("metadata").optionalText("sae_lens_version");
  return version === undefined ? !fields.has("metadata") : Number.parseInt(version, 10) < 6;
}

/** An old flat configuration in the new keys. */
function migrated(fields: JsonFields): JsonFields {
  const pairs = Object.entries(fields.json).map(([key, value]) => [renamed[key] ?? key, value]);
  return new JsonFields(fields.where, Object.fromEntries(pairs));
}

function architectureOf(fields: JsonFields, before6: boolean): string {
  const stated = fields.optionalText("architecture") ?? "standard";
  const activation = before6 ? (fields.optionalText("activation_fn") ?? "relu") : "relu";
  const isTopK = activation === "topk" && stated === "standard";
  if (isTopK) return "topk";
  if (saeLensArchitectures[stated] !== undefined && ["relu", "topk"].includes(activation)) return stated;
  const got = saeLensArchitectures[stated] === undefined ? `architecture ${stated}` : `activation ${activation}`;
  throw unsupported(fields.where, got, `one of ${Object.keys(saeLensArchitectures).join(", ")}, with ReLU`);
}

/** SAELens folds `expected_average_only_in` when it saves, and does nothing about it when a dictionary is used. */
function normalizationOf(fields: JsonFields): InputNormalization {
  const stated = fields.json["normalize_activations"];
  if (stated === undefined || stated === null || typeof stated === "boolean") return "none";
  const word = fields.word("normalize_activations", [
    "none",
    "expected_average_only_in",
    "constant_norm_rescale",
    "layer_norm",
  ]);
  return word === "expected_average_only_in" ? "none" : word;
}

function refuseHeads(fields: JsonFields): void {
  const head = fields.json["hook_head_index"];
  if (head === undefined || head === null) return;
  throw unsupported(fields.where, `a dictionary of head ${JSON.stringify(head)} alone`, "one of whole hook points");
}

function unsupported(where: string, got: string, expected: string): UnsupportedError {
  return new UnsupportedError({ where, got, expected, fix: "Convert it, or use another dictionary." });
}

/** Reads a `cfg.json`. Throws FormatError that names the field, UnsupportedError for other architectures. */
export function parseSaeLens(path: string, json: unknown): SaeLensConfig {
  const given = new JsonFields(path, json);
  const before6 = isBefore6(given);
  const fields = before6 ? migrated(given) : given;
  const metadata = before6 ? fields : fields.inner("metadata");
  refuseHeads(metadata);
  const kwargs = fields.inner("activation_fn_kwargs");
  const k = fields.optionalSize("k") ?? kwargs.optionalSize("k");
  const architecture = architectureOf(fields, before6);
  return {
    architecture,
    ...(k === undefined ? {} : { k }),
    scalesByDecoderNorm: fields.optionalFlag("rescale_acts_by_decoder_norm") ?? false,
    subtractsDecoderBias: fields.optionalFlag("apply_b_dec_to_input") ?? !architecture.includes("transcoder"),
    normalization: normalizationOf(fields),
    hookName: metadata.optionalText("hook_name"),
    hookNameOut: metadata.optionalText("hook_name_out"),
    modelName: metadata.optionalText("model_name"),
    prependBos: metadata.optionalFlag("prepend_bos") ?? (before6 ? true : undefined),
    contextSize: metadata.optionalSize("context_size"),
    hasFinetuningScale: fields.optionalFlag("finetuning_scaling_factor") ?? false,
    prefixes: fields.optionalSizes("matryoshka_widths"),
    version: fields.optionalText("sae_lens_version") ?? fields.inner("metadata").optionalText("sae_lens_version"),
  };
}
