/** sparsify (EleutherAI): `cfg.json` and `sae.safetensors` in a folder named after a module, such as `layers.10.mlp`. */
import { join } from "node:path";
import { InputError, UnsupportedError } from "../../core/index.js";
import { JsonFields, readJsonObject } from "../../io/index.js";
import type { Dictionary } from "../dictionary.js";
import { assemble, takeWeights } from "./assemble.js";
import { hookNamed } from "./hook-names.js";
import { type DictionaryFormat, type DictionaryPlace, hooksOf } from "./types.js";
import { openWeights } from "./weights.js";

const weightsName = "sae.safetensors";

/** The module that the folder is named after; seeds have a folder of their own inside. */
function moduleOf(words: string): string {
  const parts = words.split("/").filter((part) => part !== "" && !/^seed\d+$/.test(part));
  return parts.at(-1) ?? "";
}

function hooksFrom(words: string, isTranscoder: boolean): { readHook: string | undefined; writeHook?: string } {
  const module = moduleOf(words);
  const output = hookNamed(module);
  if (!isTranscoder) return { readHook: output };
  return { readHook: hookNamed(`${module}.input`), ...(output === undefined ? {} : { writeHook: output }) };
}

function checkActivation(fields: JsonFields): void {
  const activation = fields.optionalText("activation") ?? "topk";
  const isSigned = fields.optionalFlag("signed") === true;
  if (activation === "topk" && !isSigned) return;
  throw new UnsupportedError({
    where: fields.where,
    got: isSigned ? "signed TopK, which keeps negative activations" : `activation ${activation}`,
    expected: "topk",
    fix: "limpid's features are never negative; use a dictionary trained with TopK.",
  });
}

function checkTranscoderHook(place: DictionaryPlace, path: string, write: string | undefined, read: string): void {
  if (write !== undefined && write !== read) return;
  throw new InputError({
    where: path,
    got: "a transcoder whose two hook points are not both known",
    expected: "the one that it reads and the one that it writes",
    fix: `Pass hook and writeHook; its folder is called ${JSON.stringify(moduleOf(place.words))}.`,
  });
}

async function read(place: DictionaryPlace): Promise<Dictionary> {
  const path = join(place.folder, "cfg.json");
  const fields = new JsonFields(path, await readJsonObject(path));
  checkActivation(fields);
  const isTranscoder = fields.optionalFlag("transcode") ?? false;
  const hooks = hooksOf(place, path, hooksFrom(place.words, isTranscoder));
  if (isTranscoder) checkTranscoderHook(place, path, hooks.writeHook, hooks.readHook);
  const file = await openWeights(join(place.folder, weightsName));
  const weights = await takeWeights(file, {
    W_enc: { from: "encoder.weight", isTransposed: true },
    b_enc: "encoder.bias",
    W_dec: "W_dec",
    b_dec: "b_dec",
    ...(file.tensors.has("W_skip") ? { W_skip: "W_skip" } : {}),
  });
  return assemble(place, {
    format: "sparsify",
    architecture: "topk",
    activation: { kind: "topk", k: fields.size("k"), scalesByDecoderNorm: false },
    ...hooks,
    subtractsDecoderBias: !isTranscoder,
    weights,
    details: fields.json,
  });
}

/** sparsify. */
export const sparsifyFormat: DictionaryFormat = {
  name: "sparsify",
  signs: `cfg.json and ${weightsName}`,
  detects: ({ files, file }) =>
    files.includes("cfg.json") && (file === undefined ? files.includes(weightsName) : file === weightsName),
  read,
};
