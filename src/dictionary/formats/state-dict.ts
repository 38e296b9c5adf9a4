/** A bare state dict in a `.pt` or `.safetensors` file: OpenAI's layout, or weights under SAELens's names. */
import { join } from "node:path";
import { FormatError, formatList, InputError, UnsupportedError } from "../../core/index.js";
import { isPickleDict, stateDictOf, type TorchFile } from "../../io/index.js";
import type { Activation } from "../config.js";
import type { Dictionary } from "../dictionary.js";
import { assemble, takeWeights, type WeightMap } from "./assemble.js";
import { hookInPath } from "./hook-names.js";
import { openWithConfig } from "./transcoder-circuits.js";
import { type DictionaryFormat, type DictionaryPlace, fileLike, hooksOf } from "./types.js";
import { type FileTensors, matrixSizes, need, openWeights } from "./weights.js";

const fileName = /\.(?:pt|pth|safetensors)$/;

interface Opened {
  readonly file: FileTensors;
  readonly torch?: TorchFile;
}

async function open(place: DictionaryPlace): Promise<Opened | undefined> {
  const name = fileLike(place, fileName);
  if (name === undefined) return undefined;
  const path = join(place.folder, name);
  if (name.endsWith(".safetensors")) return { file: await openWeights(path) };
  const torch = await openWithConfig(path);
  return { torch, file: { path, tensors: stateDictOf(torch) } };
}

function isOpenAi({ tensors }: FileTensors): boolean {
  return ["pre_bias", "latent_bias", "encoder.weight"].every((name) => tensors.has(name));
}

function isPlain({ tensors }: FileTensors): boolean {
  return ["W_enc", "W_dec", "b_dec"].every((name) => tensors.has(name));
}

/** What an OpenAI file says of its activation. */
function openAiWords({ torch }: Opened): { readonly word: string; readonly post: string; readonly k: number } {
  const value = torch?.value;
  const state = isPickleDict(value) ? value.get("activation_state_dict") : undefined;
  const [word, post, k] = [
    isPickleDict(value) ? value.get("activation") : undefined,
    isPickleDict(state) ? state.get("postact_fn") : undefined,
    isPickleDict(state) ? state.get("k") : undefined,
  ];
  const text = (one: unknown): string => (typeof one === "string" ? one : "ReLU");
  return { word: text(word), post: text(post), k: typeof k === "number" ? k : 0 };
}

/** OpenAI's autoencoders are ReLU, or TopK with a layer norm of the input. */
function openAiActivation(opened: Opened): Activation {
  const { word, post, k } = openAiWords(opened);
  if (word === "ReLU") return { kind: "relu" };
  if (word === "TopK" && post === "ReLU" && k > 0) return { kind: "topk", k, scalesByDecoderNorm: false };
  throw new UnsupportedError({
    where: `${opened.file.path}: activation`,
    got: word === "TopK" ? `TopK with k ${k}, then ${post}` : word,
    expected: "ReLU, or TopK with its k and then ReLU",
    fix: "Use an autoencoder with one of these.",
  });
}

async function readOpenAi(place: DictionaryPlace, opened: Opened): Promise<Dictionary> {
  const { file } = opened;
  const activation = openAiActivation(opened);
  const isTopK = activation.kind === "topk";
  return assemble(place, {
    format: "OpenAI",
    architecture: isTopK ? "topk" : "standard",
    activation,
    ...hooksOf(place, file.path, { readHook: hookInPath(place.words) }),
    subtractsDecoderBias: true,
    normalization: isTopK ? "layer_norm" : "none",
    weights: await takeWeights(file, {
      W_enc: { from: "encoder.weight", isTransposed: true },
      b_enc: "latent_bias",
      W_dec: { from: "decoder.weight", isTransposed: true },
      b_dec: "pre_bias",
    }),
  });
}

/** Whether `W_enc` has a row for each feature, as `b_enc` counts them. */
function hasFeatureRows(file: FileTensors): boolean {
  const [rows, columns] = matrixSizes(file, "W_enc");
  const features = need(file, file.tensors.has("b_enc") ? "b_enc" : "b_gate").shape[0];
  const width = need(file, "b_dec").shape[0];
  if (rows === features && columns !== features) return true;
  if (columns === features && rows !== features) return false;
  throw new FormatError({
    where: `${file.path}: W_enc`,
    got: `shape [${rows}, ${columns}] beside ${String(features)} features and width ${String(width)}`,
    expected: "sizes that tell rows from columns",
    fix: "Write it as SAELens does (cfg.json and sae_weights.safetensors), where the layout is fixed.",
  });
}

async function plainWeights(file: FileTensors): Promise<WeightMap> {
  const isTransposed = hasFeatureRows(file);
  const [decRows] = matrixSizes(file, "W_dec");
  const isDecoderTransposed = decRows !== need(file, file.tensors.has("b_enc") ? "b_enc" : "b_gate").shape[0];
  const optional = (["b_enc", "b_gate", "b_mag", "r_mag", "threshold", "W_skip"] as const).filter((name) =>
    file.tensors.has(name),
  );
  return takeWeights(file, {
    W_enc: { from: "W_enc", isTransposed },
    W_dec: { from: "W_dec", isTransposed: isDecoderTransposed },
    b_dec: "b_dec",
    ...Object.fromEntries(optional.map((name) => [name, name])),
  });
}

async function readPlain(place: DictionaryPlace, file: FileTensors): Promise<Dictionary> {
  const { subtractsDecoderBias } = place.options;
  const hooks = hooksOf(place, file.path, { readHook: undefined });
  const has = (name: string): boolean => file.tensors.has(name);
  const kind = has("b_gate") ? "gated" : has("threshold") ? "jumprelu" : "relu";
  if (subtractsDecoderBias === undefined && hooks.readHook === hooks.writeHook) throw notSaid(file);
  return assemble(place, {
    format: "state dict",
    architecture: kind === "relu" ? "standard" : kind,
    activation: { kind },
    ...hooks,
    subtractsDecoderBias: subtractsDecoderBias ?? false,
    weights: await plainWeights(file),
  });
}

function notSaid({ path, tensors }: FileTensors): InputError {
  return new InputError({
    where: path,
    got: `tensors without a configuration (${formatList([...tensors.keys()], 8)})`,
    expected: "to be told whether b_dec is taken from the input before encoding",
    fix: "Pass subtractsDecoderBias: true or false; diagnose(dictionary, model, texts) measures which is right.",
  });
}

/** Bare state dicts. */
export const stateDictFormat: DictionaryFormat = {
  name: "state dict or OpenAI",
  signs: "one .pt or .safetensors file with W_enc, W_dec, b_enc, b_dec, or OpenAI's names",
  detects: async (place) => {
    const opened = await open(place);
    return opened !== undefined && (isOpenAi(opened.file) || isPlain(opened.file));
  },
  read: async (place) => {
    const opened = await open(place);
    if (opened !== undefined && isOpenAi(opened.file)) return readOpenAi(place, opened);
    return readPlain(place, opened?.file ?? { path: place.folder, tensors: new Map() });
  },
};
