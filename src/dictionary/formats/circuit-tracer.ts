/** circuit-tracer's per-layer transcoders: `config.yaml` and `layer_N.safetensors`, with encoders as `[F, d]`. */
import { readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { FormatError, formatList, InputError, UnsupportedError } from "../../core/index.js";
import { JsonFields } from "../../io/index.js";
import type { Activation } from "../config.js";
import type { Dictionary } from "../dictionary.js";
import { assemble, takeWeights } from "./assemble.js";
import { hookInBlock } from "./hook-names.js";
import { kindOf } from "./locate.js";
import { type DictionaryFormat, type DictionaryPlace, hooksOf } from "./types.js";
import { type FileTensors, numbersOf, openWeights, renamed, scalarOf, vector } from "./weights.js";

const layerFile = /^layer_(\d+)\.safetensors$/;

/** What `config.yaml` says. */
export interface TracerConfig {
  readonly path: string;
  readonly fields: JsonFields;
  readonly inputHook: string;
  readonly outputHook: string;
  readonly modelName: string | undefined;
  /** Files of the layers, in their order, where the set lists them. */
  readonly transcoders: readonly string[] | undefined;
}

async function readYaml(path: string): Promise<unknown> {
  const text = await readFile(path, "utf8");
  const { parse } = await import("yaml");
  try {
    return parse(text, { maxAliasCount: 10 }) as unknown;
  } catch (cause) {
    throw new FormatError(
      {
        where: path,
        got: cause instanceof Error ? (cause.message.split("\n")[0] ?? "an error") : "an error",
        expected: "YAML",
        fix: "Get the file again.",
      },
      { cause },
    );
  }
}

function listOf(fields: JsonFields): readonly string[] | undefined {
  const list: unknown = fields.json["transcoders"];
  if (list === undefined || list === null) return undefined;
  if (Array.isArray(list) && list.length > 0 && list.every((one) => typeof one === "string")) return list;
  throw new FormatError({
    where: `${fields.where}: transcoders`,
    got: JSON.stringify(list).slice(0, 80),
    expected: "a list of paths or hf:// addresses, one for each layer",
    fix: "Correct config.yaml.",
  });
}

/** Reads the `config.yaml` of a folder; `undefined` when there is none. */
export async function tracerConfig(folder: string): Promise<TracerConfig | undefined> {
  for (const name of ["config.yaml", "config.yml"]) {
    const path = join(folder, name);
    if ((await kindOf(path)) !== "file") continue;
    const fields = new JsonFields(path, await readYaml(path));
    refuseCrossLayer(fields);
    return {
      path,
      fields,
      inputHook: fields.text("feature_input_hook"),
      outputHook: fields.text("feature_output_hook"),
      modelName: fields.optionalText("model_name"),
      transcoders: listOf(fields),
    };
  }
  return undefined;
}

function refuseCrossLayer(fields: JsonFields): void {
  if (fields.optionalText("model_kind") !== "cross_layer_transcoder") return;
  throw new UnsupportedError({
    where: fields.where,
    got: "a cross-layer transcoder: it writes to several layers at once",
    expected: "model_kind transcoder_set",
    fix: "Use a set of transcoders, each of one layer.",
  });
}

/** Hook points of a layer of a set. */
export function tracerHooks(
  config: TracerConfig,
  layer: number,
): { readonly hook: string; readonly writeHook: string } {
  return { hook: hookInBlock(layer, config.inputHook), writeHook: hookInBlock(layer, config.outputHook) };
}

function activationWord(config: TracerConfig | undefined): string | undefined {
  return config?.fields.optionalText("activation") ?? config?.fields.optionalText("activation_function");
}

async function activationOf(file: FileTensors, config: TracerConfig | undefined): Promise<Activation> {
  if (file.tensors.has("threshold")) return { kind: "jumprelu" };
  const word = activationWord(config);
  const stored = file.tensors.get("k");
  const k = stored === undefined ? config?.fields.optionalSize("k") : await scalarOf(stored);
  if (k !== undefined && word !== "relu") return { kind: "topk", k, scalesByDecoderNorm: false };
  if (word === undefined || word === "relu") return { kind: "relu" };
  throw new FormatError({
    where: config?.path ?? file.path,
    got: `activation ${word}`,
    expected: "relu, topk with its k, or thresholds in the file",
    fix: "Correct config.yaml.",
  });
}

/** A file's tensors with the threshold under its short name. */
async function openLayer(path: string): Promise<FileTensors> {
  return renamed(await openWeights(path), (name) => name.replace(/^activation_function\./, ""));
}

function layerOf(name: string): number {
  return Number(layerFile.exec(name)?.[1] ?? 0);
}

async function read(place: DictionaryPlace): Promise<Dictionary> {
  const name = place.file;
  if (name === undefined) throw isSet(place);
  const path = join(place.folder, name);
  const config = await tracerConfig(place.folder);
  const found = config === undefined ? undefined : tracerHooks(config, layerOf(name));
  const hooks = hooksOf(place, path, { readHook: found?.hook, writeHook: found?.writeHook });
  const file = await openLayer(path);
  const threshold = file.tensors.get("threshold");
  const weights = await takeWeights(file, {
    W_enc: { from: "W_enc", isTransposed: true },
    b_enc: "b_enc",
    W_dec: "W_dec",
    b_dec: "b_dec",
    ...(file.tensors.has("W_skip") ? { W_skip: "W_skip" } : {}),
  });
  if (threshold !== undefined) weights.set("threshold", vector(await numbersOf(threshold)));
  const activation = await activationOf(file, config);
  return assemble(place, {
    format: "circuit-tracer",
    architecture: activation.kind === "topk" ? "topk" : activation.kind === "jumprelu" ? "jumprelu" : "standard",
    activation,
    ...hooks,
    subtractsDecoderBias: false,
    ...(config?.modelName === undefined ? {} : { model: { name: config.modelName } }),
    weights,
    ...(config === undefined ? {} : { details: config.fields.json }),
  });
}

function isSet({ folder, files }: DictionaryPlace): InputError {
  const layers = files.filter((name) => layerFile.test(name));
  return new InputError({
    where: `openDictionary: ${folder}`,
    got: "a set of transcoders",
    expected: layers.length === 0 ? "one transcoder" : `one of ${formatList(layers, 6)} as path`,
    fix: "Open all of them with openDictionarySet.",
  });
}

/** circuit-tracer. */
export const circuitTracerFormat: DictionaryFormat = {
  name: "circuit-tracer",
  signs: "config.yaml and layer_N.safetensors",
  detects: ({ files, file }) =>
    file === undefined
      ? files.includes("config.yaml") || files.includes("config.yml") || files.some((name) => layerFile.test(name))
      : layerFile.test(file),
  read,
};

/** The files of a set, one for each layer, in their order. */
export function tracerFiles({ transcoders, path }: TracerConfig, files: readonly string[]): readonly string[] {
  if (transcoders !== undefined) return transcoders;
  const found = files.filter((name) => layerFile.test(name)).sort((a, b) => layerOf(a) - layerOf(b));
  const missing = found.findIndex((name, i) => layerOf(name) !== i);
  if (found.length > 0 && missing < 0) return found;
  throw new InputError({
    where: dirname(path),
    got: found.length === 0 ? "no layer_N.safetensors" : `no layer_${missing}.safetensors among ${found.length} layers`,
    expected: "a file for each layer, counted from 0, or a list under transcoders in config.yaml",
    fix: "Get the missing files.",
  });
}
