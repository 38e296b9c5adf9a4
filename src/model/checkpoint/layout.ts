/** Which of a folder's files hold the weights: one rule for local folders and for the hub. */

/** The weights of a folder: one file, or an index that names several. */
export interface WeightFiles {
  readonly kind: "safetensors" | "torch";
  /** Path inside the folder. */
  readonly file: string;
  /** Whether `file` is a `*.index.json`. */
  readonly isIndex: boolean;
}

/** Files beside the weights that a checkpoint may have; `config.json` must be there. */
export const companionFiles: readonly string[] = [
  "config.json",
  "generation_config.json",
  "tokenizer.json",
  "tokenizer_config.json",
  "special_tokens_map.json",
  "chat_template.jinja",
];

/** What is looked for, in this order; for messages. */
export const lookedFor =
  "model.safetensors, model.safetensors.index.json, pytorch_model.bin, pytorch_model.bin.index.json, or one other .safetensors, .bin, .pt or .pth file";

const known: readonly WeightFiles[] = [
  { kind: "safetensors", file: "model.safetensors", isIndex: false },
  { kind: "safetensors", file: "model.safetensors.index.json", isIndex: true },
  { kind: "torch", file: "pytorch_model.bin", isIndex: false },
  { kind: "torch", file: "pytorch_model.bin.index.json", isIndex: true },
];

/** Files that training leaves behind and that hold no model. */
const notAModel = /^(?:adapter_|optimizer|scheduler|training_args|rng_state|trainer_state|scaler)|-\d{5}-of-\d{5}\./;

/** Finds the weights among a folder's file names, or `undefined` when none or several would do. */
export function findWeightFiles(names: readonly string[]): WeightFiles | undefined {
  const listed = known.find(({ file }) => names.includes(file));
  if (listed !== undefined) return listed;
  const others = names.filter((name) => !name.includes("/") && !notAModel.test(name));
  return only("safetensors", others, /\.safetensors$/) ?? only("torch", others, /\.(?:bin|pt|pth)$/);
}

/** The one file that matches, or the one of several that is called `model`. */
function only(kind: WeightFiles["kind"], names: readonly string[], pattern: RegExp): WeightFiles | undefined {
  const found = names.filter((name) => pattern.test(name));
  const named = found.find((name) => /^model\.[a-z]+$/.test(name));
  const file = found.length === 1 ? found[0] : named;
  return file === undefined ? undefined : { kind, file, isIndex: false };
}

/** Returns the shard names of an index file's `weight_map`, each once; empty when it has none. */
export function shardNames(index: Readonly<Record<string, unknown>>): readonly string[] {
  const map = index["weight_map"];
  if (typeof map !== "object" || map === null) return [];
  return [...new Set(Object.values(map).filter((name) => typeof name === "string"))];
}
