/** Writes a dictionary as SAELens 6 does: `cfg.json`, `sae_weights.safetensors` and, where known, `sparsity.safetensors`. */
import { join } from "node:path";
import { UnsupportedError } from "../core/index.js";
import { writeSafetensors } from "../io/index.js";
import { Tensor } from "../tensor/index.js";
import type { DictionaryConfig } from "./config.js";
import type { Dictionary } from "./dictionary.js";
import { foldDecoderBias } from "./formats/fold.js";
import { saeLensFiles } from "./formats/saelens.js";
import { asFloat32, floats } from "./formats/weights.js";
import { inNewFolder, type SaveDictionaryOptions, writeJson } from "./save.js";

/** Options of {@link saveAsSaeLens}. */
export type SaveSaeLensOptions = Pick<SaveDictionaryOptions, "ifExists" | "signal" | "onProgress">;

/** The version of SAELens whose format this is; older readers would migrate the configuration again. */
const version = "6.18.0";

/** SAELens keeps 10⁻¹⁰ in place of a density of 0. */
const leastDensity = 1e-10;

/** SAELens's name for a dictionary, or `undefined` when it has no such class. */
function architectureOf({ kind, config }: Dictionary): string | undefined {
  const { activation } = config;
  if (activation.kind === "smooth") return undefined;
  if (kind === "sae") return activation.kind === "relu" ? "standard" : activation.kind;
  const shape = kind === "skip_transcoder" ? "skip_transcoder" : "transcoder";
  if (activation.kind === "relu") return shape;
  return activation.kind === "jumprelu" ? `jumprelu_${shape}` : undefined;
}

function checked(dictionary: Dictionary): string {
  const { kind, config, name } = dictionary;
  const architecture = architectureOf(dictionary);
  const isNormalized = kind !== "sae" && config.normalization !== "none";
  if (architecture !== undefined && !isNormalized) return architecture;
  throw new UnsupportedError({
    where: `saveAsSaeLens: dictionary ${name}`,
    got: isNormalized ? `a ${kind} with input normalisation` : `a ${kind} with ${config.activation.kind}`,
    expected: "what SAELens has: SAEs of any activation, transcoders with ReLU or JumpReLU and no normalisation",
    fix: "Save it in limpid's own format with saveDictionary.",
  });
}

function metadataOf(config: DictionaryConfig, isSae: boolean): Readonly<Record<string, unknown>> {
  return {
    sae_lens_version: version,
    sae_lens_training_version: null,
    model_name: config.model?.name ?? null,
    hook_name: config.readHook,
    hook_head_index: null,
    ...(isSae ? {} : { hook_name_out: config.writeHook, hook_head_index_out: null }),
    context_size: config.contextSize ?? null,
    prepend_bos: config.prependBos ?? null,
    seqpos_slice: [null],
    model_from_pretrained_kwargs: {},
    model_class_name: "HookedTransformer",
    neuronpedia_id: null,
    dataset_path: null,
    exclude_special_tokens: null,
    hf_hook_name: null,
  };
}

/** The `cfg.json`. */
function configOf(dictionary: Dictionary, architecture: string): Readonly<Record<string, unknown>> {
  const { config, kind } = dictionary;
  const { activation } = config;
  const isSae = kind === "sae";
  return {
    d_in: config.dIn,
    d_sae: config.nFeatures,
    ...(isSae ? {} : { d_out: config.dOut }),
    dtype: "float32",
    device: "cpu",
    architecture,
    apply_b_dec_to_input: config.subtractsDecoderBias,
    normalize_activations: config.normalization,
    reshape_activations: config.readHook.endsWith("hook_z") && isSae ? "hook_z" : "none",
    ...(activation.kind === "topk"
      ? { k: activation.k, rescale_acts_by_decoder_norm: activation.scalesByDecoderNorm }
      : {}),
    metadata: metadataOf(config, isSae),
  };
}

async function tensorsOf({ weights }: Dictionary): Promise<readonly (readonly [string, Tensor])[]> {
  const pairs: [string, Tensor][] = [];
  for (const [name, weight] of weights) {
    const read = await asFloat32(weight);
    pairs.push([name, Tensor.of(floats(read), read.shape)]);
  }
  return pairs;
}

/**
 * Writes a dictionary as a folder that SAELens 6 loads with `SAE.load_from_disk`; it appears only when it is complete.
 *
 * BatchTopK and Matryoshka dictionaries become JumpReLU, as SAELens itself saves them. A transcoder that takes `b_dec` from
 * its input gets an equal `b_enc` instead, since SAELens's do not. Means and maxima of activations have no place there.
 *
 * @throws UnsupportedError for what SAELens has no class for, InputError when the folder exists, MemoryError when the disk is
 * full.
 */
export async function saveAsSaeLens(
  dictionary: Dictionary,
  folder: string,
  options: SaveSaeLensOptions = {},
): Promise<void> {
  const architecture = checked(dictionary);
  const plain = dictionary.kind === "sae" ? dictionary : await foldDecoderBias(dictionary);
  const { statistics } = plain;
  await inNewFolder(folder, options, async (temporary) => {
    await writeSafetensors(join(temporary, saeLensFiles.weights), await tensorsOf(plain), options);
    if (statistics !== undefined) {
      const sparsity = statistics.density.map((density) => Math.log10(density + leastDensity));
      await writeSafetensors(join(temporary, saeLensFiles.sparsity), {
        sparsity: Tensor.of(sparsity, [sparsity.length]),
      });
    }
    await writeJson(join(temporary, saeLensFiles.config), configOf(plain, architecture));
  });
}
