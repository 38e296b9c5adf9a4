/** The entry points: dictionaries from a model, or from activations that are there already. */
import type { ActivationShards, Model } from "../../model/index.js";
import type { Tensor } from "../../tensor/index.js";
import type { HeldOut } from "./held-out.js";
import { type HarvestOptions, modelSource, oneHook } from "./model-source.js";
import type {
  DictionarySpec,
  TrainDictionariesOptions,
  TrainDictionaryOptions,
  TrainingRunOptions,
} from "./options.js";
import { type NamedSpec, plansOf, type RunNumbers, runNumbers } from "./recipe.js";
import { type DictionaryTraining, TrainedDictionary } from "./result.js";
import type { TrainingData } from "./rows.js";
import { runTraining } from "./run.js";
import { shardSource } from "./shard-source.js";
import type { ActivationSource } from "./source.js";
import { tensorSource } from "./tensor-source.js";

/**
 * Trains a sparse dictionary on activations of a model.
 *
 * Rows of text are shuffled, run through the model in blocks, and their activations shuffled again: memory is bounded by
 * `bufferTokens`. Inputs are scaled to one norm for training; what comes back works on raw activations. With a `folder`,
 * a run that was stopped continues to the same bits.
 *
 * ```ts
 * const { dictionary } = await trainDictionary(model, texts, {
 *   from: at.residPost(3), architecture: "topk", k: 32, width: 1024, tokens: 5_000_000,
 * });
 * ```
 *
 * @param data - A dataset or texts.
 * @throws HookNotFoundError for a hook point that the model lacks; InputError for wrong options or too little text;
 *   NumericError for activations that are not finite; AbortedError.
 */
export async function trainDictionary(
  model: Model,
  data: TrainingData,
  options: TrainDictionaryOptions,
): Promise<TrainedDictionary> {
  const { seed: _, ...spec } = options;
  return only(await trainDictionaries(model, data, [specOf(spec)], options));
}

/**
 * Trains several dictionaries at once: every block of text is run through the model once for all of them.
 *
 * Each is trained as it would be alone; metrics have the dictionary's name in front, such as `mlp_out.3/fvu`.
 *
 * @throws What {@link trainDictionary} throws.
 */
export async function trainDictionaries(
  model: Model,
  data: TrainingData,
  specs: readonly DictionarySpec[],
  options: TrainDictionariesOptions,
): Promise<DictionaryTraining> {
  const named = specs.map((spec): NamedSpec => {
    const readHook = oneHook(model, spec.from, "from");
    return { spec, readHook, writeHook: spec.to === undefined ? readHook : oneHook(model, spec.to, "to") };
  });
  const plans = plansOf(named);
  const numbers = runNumbers(options);
  const hooks = [...new Set(named.flatMap(({ readHook, writeHook }) => [readHook, writeHook]))];
  const enough = numbers.steps * numbers.batch;
  const harvest = { ...options, hooks, seed: numbers.seed };
  const source = await modelSource(model, data, { ...harvest, enough });
  const heldOut = await heldOutOf(model, harvest, options, numbers);
  return runTraining({ source, plans, numbers, options, ...(heldOut === undefined ? {} : { heldOut }) });
}

type Harvest = HarvestOptions & { readonly hooks: readonly string[]; readonly seed: number };

async function heldOutOf(
  model: Model,
  harvest: Harvest,
  { heldOut, resampling }: TrainDictionariesOptions,
  { batch }: RunNumbers,
): Promise<HeldOut | undefined> {
  if (heldOut === undefined) return undefined;
  const { data, tokens = 16_384, every } = heldOut;
  const source = await modelSource(model, data, { ...harvest, enough: Math.max(batch, tokens) });
  return { source, tokens, every, hasNoise: resampling !== undefined };
}

/** Activations that are there already: tensors by hook name, each `[token, width]`, or a folder of shards. */
export type GivenActivations = Readonly<Record<string, Tensor>> | ActivationShards;

/** One dictionary to train on given activations; hook points are full names. */
export interface GivenDictionaryOptions extends Omit<DictionarySpec, "from" | "to">, TrainingRunOptions {
  readonly from: string;
  readonly to?: string;
  readonly seed?: number;
}

/**
 * Trains a sparse dictionary on activations in memory or on disk.
 *
 * @throws What {@link trainDictionary} throws.
 */
export async function trainDictionaryOn(
  activations: GivenActivations,
  options: GivenDictionaryOptions,
): Promise<TrainedDictionary> {
  const { seed: _, ...spec } = options;
  return only(await trainDictionariesOn(activations, [specOf(spec)], options));
}

/** Trains several sparse dictionaries on activations in memory or on disk, each `from` and `to` a full hook name. */
export async function trainDictionariesOn(
  activations: GivenActivations,
  specs: readonly DictionarySpec[],
  options: TrainingRunOptions,
): Promise<DictionaryTraining> {
  const nameOf = (spec: DictionarySpec["from"]): string =>
    typeof spec === "string" || spec instanceof RegExp
      ? String(spec)
      : `${spec.layers === undefined ? "" : `blocks.${String(spec.layers)}.`}${spec.point}`;
  const named = specs.map((spec): NamedSpec => {
    const readHook = nameOf(spec.from);
    return { spec, readHook, writeHook: spec.to === undefined ? readHook : nameOf(spec.to) };
  });
  const plans = plansOf(named);
  const hooks = [...new Set(named.flatMap(({ readHook, writeHook }) => [readHook, writeHook]))];
  return runTraining({ source: givenSource(activations, hooks), plans, numbers: runNumbers(options), options });
}

function givenSource(activations: GivenActivations, hooks: readonly string[]): ActivationSource {
  if (isShards(activations)) return shardSource(activations, hooks);
  const own = Object.entries(activations).filter(([name]) => hooks.includes(name));
  return tensorSource(own.length === 0 ? activations : Object.fromEntries(own));
}

function isShards(activations: GivenActivations): activations is ActivationShards {
  return "manifest" in activations && "shard" in activations && typeof activations.shard === "function";
}

/** The spec among the options of one dictionary; its seed is the run's. */
function specOf(options: Omit<DictionarySpec, "seed">): DictionarySpec {
  const { from, to, architecture, width, k, targetL0, coefficient, hasSkip, name } = options;
  const optional = Object.entries({ to, k, targetL0, coefficient, hasSkip, name });
  const given = Object.fromEntries(optional.filter(([, value]) => value !== undefined));
  return { from, architecture, width, ...given };
}

function only({ dictionaries, training, summary }: DictionaryTraining): TrainedDictionary {
  const [dictionary] = dictionaries;
  if (dictionary === undefined) throw new RangeError("one spec makes one dictionary");
  return new TrainedDictionary(dictionary, training, summary);
}
