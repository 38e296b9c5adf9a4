/** The configuration of a dictionary as limpid's own JSON, checked when read. */
import { FormatError } from "../../core/index.js";
import { JsonFields } from "../../io/index.js";
import type { Activation, DictionaryConfig } from "../config.js";

const architectures = ["standard", "gated", "topk", "batch_topk", "jumprelu", "matryoshka_batch_topk"] as const;
const normalizations = ["none", "constant_norm_rescale", "layer_norm"] as const;

function activationOf(fields: JsonFields): Activation {
  const kind = fields.word("kind", ["relu", "topk", "jumprelu", "gated"]);
  if (kind !== "topk") return { kind };
  return { kind, k: fields.size("k"), scalesByDecoderNorm: fields.optionalFlag("scalesByDecoderNorm") ?? false };
}

function prefixesOf(fields: JsonFields, nFeatures: number): { readonly prefixes?: readonly number[] } {
  const prefixes = fields.optionalSizes("prefixes");
  if (prefixes === undefined) return {};
  const isRising = prefixes.every((width, i) => i === 0 || width > (prefixes[i - 1] ?? 0));
  if (isRising && prefixes.at(-1) === nFeatures) return { prefixes };
  throw new FormatError({
    where: `${fields.where}: prefixes`,
    got: `[${prefixes.join(", ")}]`,
    expected: `rising widths, the last one ${nFeatures}`,
    fix: "Check the file; it was changed, or written by another program.",
  });
}

function modelOf(fields: JsonFields): Pick<DictionaryConfig, "model"> {
  if (!fields.has("model")) return {};
  const inner = fields.inner("model");
  const identity = inner.optionalText("identity");
  return { model: { name: inner.text("name"), ...(identity === undefined ? {} : { identity }) } };
}

function trainedOn(fields: JsonFields): Pick<DictionaryConfig, "prependBos" | "contextSize" | "origin"> {
  const prependBos = fields.optionalFlag("prependBos");
  const contextSize = fields.optionalSize("contextSize");
  return {
    ...(prependBos === undefined ? {} : { prependBos }),
    ...(contextSize === undefined ? {} : { contextSize }),
    ...(fields.has("origin") ? { origin: fields.inner("origin").json } : {}),
  };
}

/**
 * Reads a configuration.
 *
 * @throws FormatError that names the field.
 */
export function parseConfig(where: string, json: unknown): DictionaryConfig {
  const fields = new JsonFields(where, json);
  const nFeatures = fields.size("nFeatures");
  return {
    architecture: fields.word("architecture", architectures),
    activation: activationOf(fields.inner("activation")),
    dIn: fields.size("dIn"),
    dOut: fields.size("dOut"),
    nFeatures,
    readHook: fields.text("readHook"),
    writeHook: fields.text("writeHook"),
    subtractsDecoderBias: fields.optionalFlag("subtractsDecoderBias") ?? false,
    normalization: fields.word("normalization", normalizations),
    ...prefixesOf(fields, nFeatures),
    ...modelOf(fields),
    ...trainedOn(fields),
  };
}
