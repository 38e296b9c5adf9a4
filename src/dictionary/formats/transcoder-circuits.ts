/**
 * transcoder_circuits (and the SAE trainer that it grew from): a `.pt` with a configuration object and a state dict.
 *
 * The configuration is an object of a Python class; it is read as an inert record of its attributes.
 */

import { realpath } from "node:fs/promises";
import { join } from "node:path";
import { FormatError } from "../../core/index.js";
import {
  isPickleDict,
  isPickleObject,
  openTorch,
  type PickleValue,
  stateDictOf,
  type TorchFile,
} from "../../io/index.js";
import type { Dictionary } from "../dictionary.js";
import { assemble, takeWeights } from "./assemble.js";
import { withoutOffset } from "./fold.js";
import { hookNamed } from "./hook-names.js";
import { type DictionaryFormat, type DictionaryPlace, fileLike, hooksOf } from "./types.js";
import { type FileTensors } from "./weights.js";

/** Classes of configurations that these files hold, in the repositories that wrote them. */
const configClasses: readonly string[] = [
  "sae_training",
  "transcoder_training",
  "mats_sae_training",
  "sae_lens.training",
].flatMap((module) => [
  `${module}.config.LanguageModelSAERunnerConfig`,
  `${module}.config.LanguageModelTranscoderRunnerConfig`,
  `${module}.config.RunnerConfig`,
]);

/** Opens a `.pt` file of which the configuration may be an object. */
export async function openWithConfig(path: string): Promise<TorchFile> {
  return openTorch(await realpath(path).catch(() => path), { inert: configClasses });
}

/** The attributes of the configuration; `undefined` when the file has none. */
export function configIn({ value }: TorchFile): ReadonlyMap<PickleValue, PickleValue> | undefined {
  const cfg: PickleValue | undefined = isPickleDict(value) ? value.get("cfg") : undefined;
  const attributes: PickleValue | undefined = isPickleObject(cfg, "inert") ? cfg.state : cfg;
  return isPickleDict(attributes) ? attributes : undefined;
}

/** The attributes that are plain data. */
function plain(cfg: ReadonlyMap<PickleValue, PickleValue>): Readonly<Record<string, unknown>> {
  const isPlain = (value: PickleValue): boolean =>
    value === null || ["string", "number", "boolean"].includes(typeof value);
  const found: Record<string, unknown> = {};
  for (const [key, value] of cfg) if (typeof key === "string" && isPlain(value)) found[key] = value;
  return found;
}

function text(cfg: Readonly<Record<string, unknown>>, key: string): string | undefined {
  const value = cfg[key];
  return typeof value === "string" ? value : undefined;
}

function hookFrom(cfg: Readonly<Record<string, unknown>>, key: string): string | undefined {
  const name = text(cfg, key);
  return name === undefined ? undefined : hookNamed(name);
}

async function weightsOf(file: FileTensors, isTranscoder: boolean): Promise<Awaited<ReturnType<typeof takeWeights>>> {
  const names = { W_enc: "W_enc", b_enc: "b_enc", W_dec: "W_dec" } as const;
  if (!isTranscoder) return takeWeights(file, { ...names, b_dec: "b_dec" });
  const weights = await takeWeights(file, { ...names, b_dec: "b_dec_out" });
  const [before, encoder, bias] = [
    (await takeWeights(file, { b_dec: "b_dec" })).get("b_dec"),
    weights.get("W_enc"),
    weights.get("b_enc"),
  ];
  if (before !== undefined && encoder !== undefined && bias !== undefined)
    weights.set("b_enc", await withoutOffset(bias, before, encoder));
  return weights;
}

async function read(place: DictionaryPlace): Promise<Dictionary> {
  const path = join(place.folder, fileLike(place, /\.pt$/) ?? "");
  const opened = await openWithConfig(path);
  const found = configIn(opened);
  if (found === undefined) throw noConfig(path);
  const cfg = plain(found);
  const file = { path, tensors: stateDictOf(opened) };
  const isTranscoder = cfg["is_transcoder"] === true || file.tensors.has("b_dec_out");
  const model = text(cfg, "model_name");
  const contextSize = cfg["context_size"];
  return assemble(place, {
    format: "transcoder_circuits",
    architecture: "standard",
    activation: { kind: "relu" },
    ...hooksOf(place, path, {
      readHook: hookFrom(cfg, "hook_point"),
      ...(isTranscoder ? { writeHook: hookFrom(cfg, "out_hook_point") } : {}),
    }),
    subtractsDecoderBias: !isTranscoder,
    prependBos: true,
    ...(model === undefined ? {} : { model: { name: model } }),
    ...(typeof contextSize === "number" && contextSize > 0 ? { contextSize } : {}),
    weights: await weightsOf(file, isTranscoder),
    details: cfg,
  });
}

function noConfig(path: string): FormatError {
  return new FormatError({
    where: path,
    got: "no configuration under cfg",
    expected: 'a dict {"cfg": ..., "state_dict": ...}, as transcoder_circuits saves it',
    fix: "Check where the file comes from.",
  });
}

/** transcoder_circuits. */
export const transcoderCircuitsFormat: DictionaryFormat = {
  name: "transcoder_circuits",
  signs: "a .pt file with cfg and state_dict",
  detects: async (place) => {
    const name = fileLike(place, /\.pt$/);
    return name !== undefined && configIn(await openWithConfig(join(place.folder, name))) !== undefined;
  },
  read,
};
