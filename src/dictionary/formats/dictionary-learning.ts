/** dictionary_learning: `ae.pt` (a state dict) and, beside it or above it, `config.json`. */
import { dirname, join } from "node:path";
import { FormatError, formatList, UnsupportedError } from "../../core/index.js";
import { JsonFields, readJsonObject } from "../../io/index.js";
import type { Dictionary } from "../dictionary.js";
import { assemble, type FoundDictionary, sameThreshold, takeWeights, type WeightRule } from "./assemble.js";
import { hookNamed } from "./hook-names.js";
import { kindOf } from "./locate.js";
import { type DictionaryFormat, type DictionaryPlace, fileLike, hooksOf } from "./types.js";
import { type FileTensors, matrixSizes, need, numbersOf, openStateDict, scalarOf } from "./weights.js";

type Part = Pick<FoundDictionary, "architecture" | "activation" | "subtractsDecoderBias" | "weights" | "prefixes">;
type Reader = (file: FileTensors, fields: JsonFields | undefined) => Promise<Part>;

const encoder: WeightRule = { from: "encoder.weight", isTransposed: true };
const decoder: WeightRule = { from: "decoder.weight", isTransposed: true };

const relu: Reader = async (file) => ({
  architecture: "standard",
  activation: { kind: "relu" },
  subtractsDecoderBias: true,
  weights: await takeWeights(file, { W_enc: encoder, b_enc: "encoder.bias", W_dec: decoder, b_dec: "bias" }),
});

const reluNew: Reader = async (file) => ({
  architecture: "standard",
  activation: { kind: "relu" },
  subtractsDecoderBias: false,
  weights: await takeWeights(file, { W_enc: encoder, b_enc: "encoder.bias", W_dec: decoder, b_dec: "decoder.bias" }),
});

const gated: Reader = async (file) => ({
  architecture: "gated",
  activation: { kind: "gated" },
  subtractsDecoderBias: true,
  weights: await takeWeights(file, {
    W_enc: encoder,
    b_gate: "gate_bias",
    b_mag: "mag_bias",
    r_mag: "r_mag",
    W_dec: decoder,
    b_dec: "decoder_bias",
  }),
});

const linearNames = { W_enc: encoder, b_enc: "encoder.bias", W_dec: decoder, b_dec: "b_dec" } as const;
const plainNames = { W_enc: "W_enc", b_enc: "b_enc", W_dec: "W_dec", b_dec: "b_dec" } as const;

async function keptCount(file: FileTensors, fields: JsonFields | undefined): Promise<number> {
  const stored = file.tensors.get("k");
  const k = stored === undefined ? fields?.optionalSize("k") : await scalarOf(stored);
  if (k !== undefined && Number.isInteger(k) && k > 0) return k;
  throw new FormatError({
    where: `${file.path}: k`,
    got: k === undefined ? "nothing" : String(k),
    expected: "the number of features that a TopK dictionary keeps, in the file or its config.json",
    fix: "Get the config.json that was saved with it.",
  });
}

const topK: Reader = async (file, fields) => ({
  architecture: "topk",
  activation: { kind: "topk", k: await keptCount(file, fields), scalesByDecoderNorm: false },
  subtractsDecoderBias: true,
  weights: await takeWeights(file, linearNames),
});

/** A dictionary of one threshold; below zero it was never set, and every positive activation counts. */
async function withThreshold(file: FileTensors, part: Part, nFeatures: number): Promise<Part> {
  const threshold = sameThreshold(Math.max(0, await scalarOf(need(file, "threshold"))), nFeatures);
  return { ...part, weights: new Map([...part.weights, ["threshold", threshold]]) };
}

const batchTopK: Reader = async (file) =>
  withThreshold(
    file,
    {
      architecture: "batch_topk",
      activation: { kind: "jumprelu" },
      subtractsDecoderBias: true,
      weights: await takeWeights(file, linearNames),
    },
    matrixSizes(file, "encoder.weight")[0],
  );

const matryoshka: Reader = async (file) => {
  let width = 0;
  const prefixes = [...(await numbersOf(need(file, "group_sizes")))].map((size) => (width += size));
  const part: Part = {
    architecture: "matryoshka_batch_topk",
    activation: { kind: "jumprelu" },
    subtractsDecoderBias: true,
    prefixes,
    weights: await takeWeights(file, plainNames),
  };
  return withThreshold(file, part, matrixSizes(file, "W_enc")[1]);
};

/** Its class can subtract `b_dec` and does not record it; its trainer never does. */
const jumpRelu: Reader = async (file) => ({
  architecture: "jumprelu",
  activation: { kind: "jumprelu" },
  subtractsDecoderBias: false,
  weights: await takeWeights(file, { ...plainNames, threshold: "threshold" }),
});

const readers: Readonly<Record<string, Reader>> = {
  AutoEncoder: relu,
  AutoEncoderNew: reluNew,
  GatedAutoEncoder: gated,
  AutoEncoderTopK: topK,
  BatchTopKSAE: batchTopK,
  MatryoshkaBatchTopKSAE: matryoshka,
  MatroyshkaBatchTopKSAE: matryoshka,
  JumpReluAutoEncoder: jumpRelu,
};

/** Names of classes that the tensors can tell by themselves; TopK and BatchTopK have the same tensors. */
function classOf({ path, tensors }: FileTensors): string {
  const has = (...names: readonly string[]): boolean => names.every((name) => tensors.has(name));
  if (has("group_sizes", "W_enc")) return "MatryoshkaBatchTopKSAE";
  if (has("gate_bias", "encoder.weight")) return "GatedAutoEncoder";
  if (has("encoder.weight", "bias")) return "AutoEncoder";
  if (has("encoder.weight", "decoder.bias")) return "AutoEncoderNew";
  throw new FormatError({
    where: path,
    got: `the tensors ${formatList([...tensors.keys()], 12)} and no config.json beside or above them`,
    expected: "a config.json whose trainer.dict_class says which kind of dictionary it is",
    fix: "Get it from where the file comes from; the tensors alone fit several kinds.",
  });
}

/** The configuration beside the file, or above its `checkpoints`. */
async function trainerFields(place: DictionaryPlace): Promise<JsonFields | undefined> {
  for (const folder of [place.folder, dirname(place.folder)]) {
    const path = join(folder, "config.json");
    if ((await kindOf(path)) !== "file") continue;
    const fields = new JsonFields(path, await readJsonObject(path));
    if (fields.has("trainer")) return fields;
  }
  return undefined;
}

function hookOf(trainer: JsonFields): string | undefined {
  const named = trainer.optionalText("submodule_name");
  if (named !== undefined) return hookNamed(named);
  const layer = trainer.optionalNumber("layer");
  return layer === undefined ? undefined : `blocks.${layer}.hook_resid_post`;
}

function describe(fields: JsonFields | undefined): Partial<FoundDictionary> {
  const trainer = fields?.inner("trainer");
  const model = trainer?.optionalText("lm_name");
  const contextSize = fields?.inner("buffer").optionalSize("ctx_len");
  return {
    ...(model === undefined ? {} : { model: { name: model } }),
    ...(contextSize === undefined ? {} : { contextSize }),
    ...(fields === undefined ? {} : { details: fields.json }),
  };
}

function readerOf(name: string, where: string): Reader {
  const reader = readers[name];
  if (reader !== undefined) return reader;
  throw new UnsupportedError({
    where,
    got: /cross/i.test(name) ? `${name}, a crosscoder: one dictionary of several hook points` : `a ${name}`,
    expected: `one of ${Object.keys(readers).join(", ")}`,
    fix: "limpid reads dictionaries of one hook point, or from one to another.",
  });
}

const fileName = /^(?:checkpoints\/)?ae(?:_\d+)?\.pt$/;

async function read(place: DictionaryPlace): Promise<Dictionary> {
  const path = join(place.folder, weightsName(place) ?? "ae.pt");
  const fields = await trainerFields(place);
  const trainer = fields?.inner("trainer");
  const file = await openStateDict(path);
  const className = trainer?.optionalText("dict_class") ?? classOf(file);
  const part = await readerOf(className, fields?.where ?? path)(file, trainer);
  return assemble(place, {
    format: "dictionary_learning",
    ...hooksOf(place, fields?.where ?? path, { readHook: trainer === undefined ? undefined : hookOf(trainer) }),
    ...part,
    ...describe(fields),
  });
}

function weightsName(place: DictionaryPlace): string | undefined {
  if (place.file !== undefined) return /\.pt$/.test(place.file) ? place.file : undefined;
  return place.files.includes("ae.pt") ? "ae.pt" : fileLike(place, fileName);
}

/** dictionary_learning. */
export const dictionaryLearningFormat: DictionaryFormat = {
  name: "dictionary_learning",
  signs: "ae.pt, with config.json beside it",
  detects: async (place) => {
    if (place.file === undefined) return weightsName(place) !== undefined;
    return fileName.test(place.file) || (/\.pt$/.test(place.file) && (await trainerFields(place)) !== undefined);
  },
  read,
};
