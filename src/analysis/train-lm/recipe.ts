/** What `limpid train lm` is told: a language model, its data and how it is trained, as plain JSON. */
import type { AdamWOptions, ClipOptions, LionOptions, ParameterGroup, SgdOptions } from "../../train/index.js";
import { Fields, given } from "./fields.js";

/** Texts or token ids to train on. */
export interface DataRecipe {
  /** `.txt`, `.jsonl`, `.json`, `.csv`, `.tsv` with texts; `.bin`, `.npy`, `.safetensors` with token ids. */
  readonly files: readonly string[];
  /** Field of a table or JSON file that holds the text. */
  readonly field?: string;
  /** How a plain text file is cut into documents. Default `"file"`: it is one. */
  readonly by?: "file" | "line" | "paragraph";
  /** Share of the rows, the last ones of each file, that is kept for measuring. Default 0. */
  readonly validation?: number;
}

/** The learning rate over the run: a rise, then `shape`. */
export interface ScheduleRecipe {
  /** Steps of the rise, part of `steps`. Default 0. */
  readonly warmup?: number;
  /** Default `"constant"`. */
  readonly shape?: "constant" | "linear" | "cosine";
  /** Factor at the end. Default 0. */
  readonly final?: number;
  /** Steps after the rise before it falls. Default 0. */
  readonly hold?: number;
}

/** The optimiser and its options. */
export type OptimizerRecipe =
  | ({ readonly name: "adamW" | "adam" } & AdamWOptions)
  | ({ readonly name: "sgd" } & SgdOptions)
  | ({ readonly name: "lion" } & LionOptions);

/** A language model to train. Paths are relative to the recipe's file. */
export interface LanguageModelRecipe {
  /** Configuration in `HookedTransformerConfig` words; the vocabulary's size follows from the tokenizer when left out. */
  readonly model: Readonly<Record<string, unknown>>;
  readonly data: DataRecipe;
  /** `"bytes"`, or a folder with a `tokenizer.json`; may be absent where all files hold token ids. */
  readonly tokenizer?: string;
  /** Rows of one batch. */
  readonly batch: number;
  /** Tokens of one row. Default: the model's context. */
  readonly context?: number;
  /** Updates in all. */
  readonly steps: number;
  /** Default AdamW. */
  readonly optimizer?: OptimizerRecipe;
  readonly schedule?: ScheduleRecipe;
  readonly clip?: ClipOptions;
  /** Batches of one update. Default 1. */
  readonly accumulate?: number;
  readonly groups?: readonly ParameterGroup[];
  /** Coefficient of the moving average of the weights, which is then what the model folder holds. */
  readonly average?: number;
  /** Seed of weights and order of data. Default 0. */
  readonly seed?: number;
  /** Standard deviation of initial embeddings and matrices. Default `0.8 / sqrt(d_model)`. */
  readonly initialStd?: number;
  /** Folder for the model, checkpoints and metrics. */
  readonly out: string;
  /** Steps between checkpoints. Default: a tenth of the run. */
  readonly checkpointEvery?: number;
  /** Default 2. */
  readonly keepCheckpoints?: number;
  /** Steps between measurements on the validation rows. Default: a tenth of the run. */
  readonly evaluateEvery?: number;
  /** Most batches of one measurement. Default 16. */
  readonly evaluateBatches?: number;
}

const recipeKeys = [
  "model",
  "data",
  "tokenizer",
  "batch",
  "context",
  "steps",
  "optimizer",
  "schedule",
  "clip",
  "accumulate",
  "groups",
  "average",
  "seed",
  "initialStd",
  "out",
  "checkpointEvery",
  "keepCheckpoints",
  "evaluateEvery",
  "evaluateBatches",
];

const count = { least: 1, isWhole: true };
const atLeastZero = { least: 0 };

function readData(fields: Fields): DataRecipe {
  return {
    files: fields.texts("files"),
    by: fields.word("by", ["file", "line", "paragraph"]),
    ...given({ field: fields.text("field"), validation: fields.number("validation", { least: 0, most: 0.9 }) }),
  };
}

const adaptiveKeys = ["name", "learningRate", "weightDecay", "beta1", "beta2"];

/** Options beside the name, by optimiser. */
const optimizerKeys: { readonly [K in OptimizerRecipe["name"]]: readonly string[] } = {
  adamW: [...adaptiveKeys, "eps"],
  adam: [...adaptiveKeys, "eps"],
  sgd: ["name", "learningRate", "weightDecay", "momentum", "nesterov"],
  lion: adaptiveKeys,
};

function readOptimizer(fields: Fields): OptimizerRecipe {
  const all = [...new Set(Object.values(optimizerKeys).flat())];
  const any = fields.object("optimizer", all);
  const name = any?.word("name", ["adamW", "adam", "sgd", "lion"]) ?? "adamW";
  const own = fields.object("optimizer", optimizerKeys[name]);
  const numbers = ["learningRate", "weightDecay", "beta1", "beta2", "eps", "momentum"] as const;
  const read = Object.fromEntries(numbers.map((key) => [key, own?.number(key, atLeastZero)]));
  return { name, ...given({ ...read, nesterov: own?.flag("nesterov") }) };
}

function readSchedule(fields: Fields): ScheduleRecipe | undefined {
  const own = fields.object("schedule", ["warmup", "shape", "final", "hold"]);
  if (own === undefined) return undefined;
  const steps = { least: 0, isWhole: true };
  return {
    shape: own.word("shape", ["constant", "linear", "cosine"]),
    ...given({
      warmup: own.number("warmup", steps),
      final: own.number("final", atLeastZero),
      hold: own.number("hold", steps),
    }),
  };
}

function readGroups(fields: Fields): readonly ParameterGroup[] {
  return fields.objects("groups", ["match", "learningRateScale", "weightDecay", "isFrozen"]).map((group) => ({
    match: group.texts("match"),
    ...given({
      learningRateScale: group.number("learningRateScale", atLeastZero),
      weightDecay: group.number("weightDecay", atLeastZero),
      isFrozen: group.flag("isFrozen"),
    }),
  }));
}

function readClip(fields: Fields): ClipOptions | undefined {
  const own = fields.object("clip", ["value", "norm"]);
  return own === undefined ? undefined : given({ value: own.number("value"), norm: own.number("norm") });
}

/**
 * Reads a recipe from parsed JSON.
 *
 * @param where - Names the file in messages.
 * @throws InputError that names the key that is unknown, missing or wrong.
 */
export function readRecipe(raw: unknown, where: string): LanguageModelRecipe {
  const fields = new Fields(where, raw, recipeKeys);
  const data = new Fields(`${where}: "data"`, fields.raw("data"), ["files", "field", "by", "validation"]);
  const groups = readGroups(fields);
  return {
    model: fields.plainObject("model"),
    data: readData(data),
    batch: fields.needNumber("batch", count),
    steps: fields.needNumber("steps", count),
    optimizer: readOptimizer(fields),
    out: fields.texts("out")[0] ?? "",
    ...(groups.length === 0 ? {} : { groups }),
    ...given({
      tokenizer: fields.text("tokenizer"),
      context: fields.number("context", count),
      schedule: readSchedule(fields),
      clip: readClip(fields),
      accumulate: fields.number("accumulate", count),
      average: fields.number("average", { least: 0, most: 1 }),
      seed: fields.number("seed", { isWhole: true }),
      initialStd: fields.number("initialStd", atLeastZero),
      checkpointEvery: fields.number("checkpointEvery", count),
      keepCheckpoints: fields.number("keepCheckpoints", count),
      evaluateEvery: fields.number("evaluateEvery", count),
      evaluateBatches: fields.number("evaluateBatches", count),
    }),
  };
}
