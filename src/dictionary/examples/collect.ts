/** Collects what each feature of a dictionary fires on, in one pass and bounded memory. */
import { InputError } from "../../core/index.js";
import {
  type Model,
  type OverProvenance,
  type ReduceOption,
  type ReduceOptions,
  type Reducer,
  reduce,
} from "../../model/index.js";
import type { Tensor } from "../../tensor/index.js";
import type { Dictionary } from "../dictionary.js";
import { checkHooks, type DictionaryData, type DictionaryDataOptions, feedOf } from "../metrics/data.js";
import { type FeatureExamples, makeExamples } from "./feature-examples.js";
import { openExamples, writeExamples } from "./folder.js";
import { ExampleRecorder, type RecorderPlan } from "./recorder.js";
import { indexTensors } from "./select.js";
import type { ExamplesHeader } from "./types.js";

/** Options of `collectExamples`. */
export interface CollectOptions extends DictionaryDataOptions {
  /** A new folder for the index; without one it stays in memory. */
  readonly folder?: string;
  /** Replaces a folder that exists. Default false. */
  readonly overwrite?: boolean;
  /** Greatest examples of each feature, at most one for each row of the data; default 20. */
  readonly top?: number;
  /** Groups of equal numbers of firings, by activation; default 5. */
  readonly quantiles?: number;
  /** Examples of each group; default 4. */
  readonly perQuantile?: number;
  /** Tokens before and after each example; default 12. */
  readonly context?: number;
  /** Of the sample that quantiles are taken from. Default 0. */
  readonly seed?: number;
  /** Where the run saves itself; one that was killed continues from there. */
  readonly checkpoint?: Exclude<ReduceOptions<ReduceOption>["checkpoint"], undefined>;
  /** Bytes that the run may take; default the model's own limit. */
  readonly memoryLimit?: number;
}

/** Sampled firings for each example shown of a group: quantiles are those of the sample. */
const sampleFactor = 4;

interface Plan extends RecorderPlan, Pick<ExamplesHeader, "perQuantile" | "quantiles"> {}

function planOf(dictionary: Dictionary, options: CollectOptions): Plan {
  const { top = 20, quantiles = 5, perQuantile = 4, context = 12, seed = 0 } = options;
  for (const [name, value] of Object.entries({ top, quantiles, perQuantile, context })) {
    if (Number.isSafeInteger(value) && value >= 0 && value <= 1000) continue;
    throw new InputError({
      where: `collectExamples: ${name}`,
      got: String(value),
      expected: "a whole number from 0 to 1000",
      fix: "Leave it out for the default.",
    });
  }
  const sample = sampleFactor * quantiles * perQuantile;
  return { nFeatures: dictionary.nFeatures, top, sample, quantiles, perQuantile, context, seed };
}

function recording(plan: Plan): Reducer<ExampleRecorder, "examples"> {
  const { top, sample, context, seed } = plan;
  const reducer = reduce.custom<ExampleRecorder, ExampleRecorder, "examples">({
    name: "examples",
    init: () => new ExampleRecorder(plan),
    update(recorder, activation, tokens) {
      recorder.add({ acts: activation.contiguous().data as ArrayLike<number>, tokens });
      return recorder;
    },
    finish: (recorder) => recorder,
    bytes: () => ExampleRecorder.bytes(plan),
    save: (recorder) => recorder.save(),
    load: (saved) => ExampleRecorder.load(plan, saved),
  });
  return { ...reducer, description: `examples ${top} ${sample} ${context} ${seed}` };
}

function headerOf(
  dictionary: Dictionary,
  { top, quantiles, perQuantile, context, seed }: Plan,
  provenance: ExamplesHeader["provenance"],
): ExamplesHeader {
  const { name, readHook, writeHook, nFeatures } = dictionary;
  return {
    dictionary: { name, readHook, writeHook, nFeatures },
    provenance,
    top,
    quantiles,
    perQuantile,
    context,
    seed,
  };
}

function piecesOf({ view }: Model, tokens: Tensor): ReadonlyMap<number, string> {
  const { tokenizer } = view.core;
  const ids = [...new Set(tokens.data as Int32Array)].filter((id) => id >= 0).sort((a, b) => a - b);
  return new Map(ids.map((id) => [id, tokenizer === undefined ? `‹${id}›` : tokenizer.piece(id)]));
}

/**
 * Collects examples, histograms and densities of every feature of a dictionary over a corpus.
 *
 * For each feature: the greatest activations (one for each row of data), and a fair sample of its firings by quantile, each
 * with the tokens around it and the feature's activation on them. Memory is stated and checked before the run; nothing depends
 * on how the data are cut into batches.
 *
 * @throws HookNotFoundError for a model without the dictionary's hook points; MemoryError above the limit; InputError when no
 *   token counts; AbortedError.
 */
export async function collectExamples(
  model: Model,
  dictionary: Dictionary,
  data: DictionaryData,
  options: CollectOptions = {},
): Promise<FeatureExamples> {
  checkHooks(model, [dictionary], "collectExamples");
  const plan = planOf(dictionary, options);
  const feed = feedOf(model, [dictionary], data, { options, width: dictionary.nFeatures });
  const { folder, checkpoint, memoryLimit, onProgress, overwrite = false } = options;
  const result = await model.with(dictionary.splice()).over(feed.inputs, {
    ...feed.options,
    capture: dictionary.hooks.actsPost,
    reduce: recording(plan),
    ...(checkpoint === undefined ? {} : { checkpoint }),
    ...(memoryLimit === undefined ? {} : { memoryLimit }),
    ...(onProgress === undefined ? {} : { onProgress }),
  });
  const tensors = indexTensors(result.examples.get(dictionary.hooks.actsPost), plan);
  const provenance = provenanceOf(model, result, feed.options);
  const parts = { header: headerOf(dictionary, plan, provenance), tensors, pieces: piecesOf(model, tensors.tokens) };
  if (folder === undefined) return makeExamples(parts);
  await writeExamples(folder, parts, overwrite);
  return openExamples(folder);
}

function provenanceOf(
  model: Model,
  { tokens, provenance }: { readonly tokens: number; readonly provenance: OverProvenance },
  { excludeSpecial, excludeFirst }: { readonly excludeSpecial?: boolean; readonly excludeFirst?: boolean },
): ExamplesHeader["provenance"] {
  const { identity, precision, dataHash } = provenance;
  return {
    model: model.id,
    identity,
    precision,
    edits: model.edits.map(({ name }) => name),
    dataHash,
    tokens,
    excludesSpecial: excludeSpecial === true,
    excludesFirst: excludeFirst === true,
  };
}
