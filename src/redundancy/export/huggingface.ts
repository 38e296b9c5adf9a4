/** A pruned model as a folder that Hugging Face and limpid open: whole blocks are gone, the others are renumbered. */
import { copyFile, mkdir, readdir } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { formatList, InputError, type LongCallOptions, UnsupportedError } from "../../core/index.js";
import {
  type AtomicFolderOptions,
  type StoredTensor,
  streamAsFloat32,
  type TensorPlan,
  withAtomicFolder,
  writeFileAtomic,
  writeSafetensorsStream,
} from "../../io/index.js";
import { loadModel, type Model } from "../../model/index.js";
import { type Part, partName } from "../parts.js";

/** Options of the exports. */
export interface ExportOptions extends LongCallOptions {
  /** What happens when the folder exists: `"error"` (default) or `"replace"`. */
  readonly ifExists?: Extract<AtomicFolderOptions["ifExists"], "error" | "replace">;
}

/** What an export wrote. */
export interface ExportedModel {
  readonly folder: string;
  readonly files: readonly string[];
  /** Layers of the original that are left, in order. */
  readonly layers: readonly number[];
}

const where = "exportHuggingFace";

function unsupported(got: string, expected: string, fix: string): UnsupportedError {
  return new UnsupportedError({ where, got, expected, fix });
}

/** The layers that stay: only whole blocks may go. */
function keptLayers({ config, view }: Model, parts: readonly Part[]): readonly number[] {
  const sublayers = config.attnOnly ? 1 : 2;
  const isWhole = (layer: number): boolean => {
    const own = parts.filter((part) => part.layer === layer);
    const kinds = new Set(own.map(({ kind }) => kind));
    return kinds.has("block") || (kinds.has("attention") && (kinds.has("mlp") || sublayers === 1));
  };
  const partial = parts.filter(({ layer }) => !isWhole(layer));
  if (partial.length > 0)
    throw unsupported(
      formatList(partial.map(partName)),
      "whole blocks: a Hugging Face configuration cannot leave out half of one",
      "Use exportOnnx, or leave out both sublayers of the block.",
    );
  if (view.edits.length > 0) throw unsupported("a model with edits", "a model as it was loaded", "Use exportOnnx.");
  const kept = view.layers.filter((layer) => !isWhole(layer));
  if (kept.length > 0) return kept;
  throw new InputError({ where, got: "every block", expected: "at least one that stays", fix: "Leave out fewer." });
}

const layerName = /^(.*?(?:^|\.)(?:h|layers|layer|blocks)\.)(\d+)(\..*)$/;

/** The new name of each stored tensor that stays. */
function renamed(model: Model, kept: readonly number[]): ReadonlyMap<string, StoredTensor> {
  const found = new Map<string, StoredTensor>();
  for (const [name, stored] of model.view.core.tensors) {
    const [, before = "", layer = "", after = ""] = layerName.exec(name) ?? [];
    if (layer === "") found.set(name, stored);
    kept.forEach((own, place) => {
      if (layer === String(own)) found.set(`${before}${place}${after}`, stored);
    });
  }
  return found;
}

const countKeys = ["num_hidden_layers", "n_layer", "n_layers"];
/** Lists with an entry for each layer. */
const listKeys = ["layer_types", "attn_types"];

function newConfig(model: Model, kept: readonly number[]): Record<string, unknown> {
  const raw: Record<string, unknown> = { ...model.config.raw };
  for (const key of countKeys) if (key in raw) raw[key] = kept.length;
  for (const key of listKeys) {
    const list = raw[key];
    if (Array.isArray(list) && list.length === model.config.nLayers)
      raw[key] = kept.map((layer): unknown => list[layer]);
  }
  for (const key of ["torch_dtype", "dtype"])
    if (key in raw && model.config.architecture !== "transformer-lens") raw[key] = "float32";
  return raw;
}

const companions = [
  "generation_config.json",
  "tokenizer.json",
  "tokenizer_config.json",
  "special_tokens_map.json",
  "chat_template.jinja",
];

async function copyCompanions(model: Model, folder: string): Promise<void> {
  const source = model.view.core.checkpoint.folder;
  const names = await readdir(source);
  for (const name of companions.filter((one) => names.includes(one)))
    await copyFile(join(source, name), join(folder, name));
}

/** Opens what was written and makes sure that each layer still sees as far as it did. */
async function checkWritten(folder: string, model: Model, kept: readonly number[]): Promise<void> {
  const written = await loadModel(folder);
  try {
    const wanted = kept.map((layer) => model.config.windows[layer]);
    if (written.config.windows.every((window, layer) => window === wanted[layer])) return;
  } finally {
    await written.close();
  }
  throw unsupported(
    "layers whose attention windows follow from their number",
    "a configuration that lists each layer's window",
    "Leave out blocks in pairs so that windows alternate as before, or use exportOnnx.",
  );
}

/**
 * Writes a model without whole blocks as a folder with `config.json`, `model.safetensors` in float32 and its tokenizer.
 *
 * The folder appears whole or not at all, after it was opened once.
 *
 * @throws UnsupportedError for half blocks, heads or neurons, for edits, and where the configuration cannot say which
 *   layers are left; InputError when no block is left.
 */
export async function exportHuggingFace(
  model: Model,
  parts: readonly Part[],
  folder: string,
  options: ExportOptions = {},
): Promise<ExportedModel> {
  const layers = keptLayers(model, parts);
  const tensors = renamed(model, layers);
  const target = resolve(folder);
  const plan: readonly TensorPlan[] = [...tensors].map(([name, { shape }]) => ({ name, dtype: "float32", shape }));
  const fill = async (scratch: string): Promise<void> => {
    const source = ({ name }: TensorPlan): AsyncIterable<Float32Array> =>
      streamAsFloat32(stored(tensors, name), options);
    await writeSafetensorsStream(join(scratch, "model.safetensors"), plan, source, {
      ...options,
      metadata: { format: "pt" },
    });
    await writeFileAtomic(join(scratch, "config.json"), `${JSON.stringify(newConfig(model, layers), undefined, 2)}\n`);
    await copyCompanions(model, scratch);
    await checkWritten(scratch, model, layers);
  };
  await mkdir(dirname(target), { recursive: true });
  await withAtomicFolder(target, fill, { ifExists: options.ifExists ?? "error" });
  return { folder: target, files: (await readdir(target)).sort().map((name) => join(target, name)), layers };
}

function stored(tensors: ReadonlyMap<string, StoredTensor>, name: string): StoredTensor {
  const found = tensors.get(name);
  if (found !== undefined) return found;
  throw unsupported(`no tensor ${name}`, "it", "Report this as a bug of limpid.");
}
