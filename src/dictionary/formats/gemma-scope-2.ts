/** Gemma Scope 2 (Gemma 3): `config.json` with Hugging Face modules and `params.safetensors`. */
import { join } from "node:path";
import { UnsupportedError } from "../../core/index.js";
import { JsonFields, readJsonObject } from "../../io/index.js";
import type { Dictionary } from "../dictionary.js";
import { assemble, takeWeights } from "./assemble.js";
import { hookNamed } from "./hook-names.js";
import { type DictionaryFormat, type DictionaryPlace, hooksOf } from "./types.js";
import { type FileTensors, need, openWeights, renamed } from "./weights.js";

/** In Gemma, `post_attention_layernorm` is the norm after attention, whose output is what attention writes. */
function gemmaHook(name: string | undefined): string | undefined {
  if (name === undefined) return undefined;
  const afterAttention = /layers\.(\d+)\.post_attention_layernorm\.output$/.exec(name);
  return afterAttention === null ? hookNamed(name) : `blocks.${afterAttention[1]}.hook_attn_out`;
}

function refuseCrossLayer(file: FileTensors, fields: JsonFields): void {
  const axes = need(file, "W_dec").shape.length;
  const type = fields.optionalText("type") ?? "";
  if (axes === 2 && !/^(?:clt|cross)/i.test(type)) return;
  throw new UnsupportedError({
    where: file.path,
    got: axes === 2 ? `type ${type}` : "a cross-layer transcoder: it writes to several layers at once",
    expected: "a dictionary with one hook point to read and one to write",
    fix: "Take a transcoder of one layer (transcoder_all) or an SAE (resid_post_all).",
  });
}

async function read(place: DictionaryPlace): Promise<Dictionary> {
  const path = join(place.folder, "config.json");
  const fields = new JsonFields(path, await readJsonObject(path));
  fields.word("architecture", ["jump_relu", "jumprelu"]);
  const opened = await openWeights(join(place.folder, "params.safetensors"));
  const file = renamed(opened, (name) => name.replace(/^w_/, "W_"));
  refuseCrossLayer(file, fields);
  const hasSkip = file.tensors.has("affine_skip_connection");
  const weights = await takeWeights(file, {
    W_enc: "W_enc",
    b_enc: "b_enc",
    W_dec: "W_dec",
    b_dec: "b_dec",
    threshold: "threshold",
    ...(hasSkip ? { W_skip: { from: "affine_skip_connection", isTransposed: true } } : {}),
  });
  const model = fields.optionalText("model_name");
  return assemble(place, {
    format: "Gemma Scope 2",
    architecture: "jumprelu",
    activation: { kind: "jumprelu" },
    ...hooksOf(place, path, {
      readHook: gemmaHook(fields.optionalText("hf_hook_point_in")),
      writeHook: gemmaHook(fields.optionalText("hf_hook_point_out")),
    }),
    subtractsDecoderBias: false,
    prependBos: true,
    ...(model === undefined ? {} : { model: { name: model } }),
    weights,
    details: fields.json,
  });
}

/** Gemma Scope 2. */
export const gemmaScope2Format: DictionaryFormat = {
  name: "Gemma Scope 2",
  signs: "config.json and params.safetensors",
  detects: ({ files, file }) =>
    files.includes("config.json") &&
    (file === undefined ? files.includes("params.safetensors") : file === "params.safetensors"),
  read,
};
