/**
 * Measures which convention a dictionary was made under.
 *
 * A dictionary read under the wrong convention (another hook point, a stream that was centred, a scale, a bias) gives numbers
 * without any complaint. So: read the model's activations around the claimed hook points once, run the dictionary on them
 * under every convention, and compare the fractions of variance unexplained.
 */
import { InputError, progressOf, ShapeError } from "../../core/index.js";
import type { Model } from "../../model/index.js";
import type { DictionaryWeightName } from "../config.js";
import { Dictionary } from "../dictionary.js";
import { mapWeight, type WeightMap } from "../formats/assemble.js";
import { checkHooks, type DictionaryData, type DictionaryDataOptions } from "../metrics/data.js";
import { type CapturedVectors, captureVectors } from "./capture.js";
import { type HookPair, neighbours, variations } from "./conventions.js";
import { asVaried, forwarded, type Measured, measureAll, posed } from "./measure.js";
import { type BosFinding, Diagnosis } from "./result.js";

/** Options of {@link diagnose}. */
export interface DiagnoseOptions extends Omit<DictionaryDataOptions, "excludeSpecial"> {
  /** Ordinary tokens to measure on; default 1,024. */
  readonly tokens?: number;
}

/** Widths of the model's values at a hook point, heads joined. */
function widthAt(model: Model, hook: string): number {
  const shape = model.hookPoints().get(hook)?.shape ?? [];
  return shape.slice(2).reduce<number>((product, size) => product * Number(size), 1);
}

function checkWidths(model: Model, { name, config }: Dictionary): void {
  const { readHook, writeHook, dIn, dOut } = config;
  for (const [hook, width] of [
    [readHook, dIn],
    [writeHook, dOut],
  ] as const) {
    const found = widthAt(model, hook);
    if (found === width) continue;
    const made = config.model === undefined ? "" : ` (it names ${config.model.name})`;
    throw new ShapeError({
      where: `diagnose: dictionary ${name}`,
      got: `width ${width}, and model ${model.id} has ${found} at ${hook}`,
      expected: "a dictionary of the model's own width",
      fix: `It was made for another model${made}, or for another hook point: load that one.`,
    });
  }
}

/** Whether the data can be read twice, with BOS and without. */
function canVaryBos(model: Model, data: DictionaryData, options: DiagnoseOptions): boolean {
  const hasBos = model.view.core.tokenizer?.bosId !== undefined;
  const isRepeatable = (Array.isArray(data) && typeof data[0] === "string") || "pad" in data;
  return hasBos && isRepeatable && options.prependBos === undefined;
}

interface Search {
  readonly dictionary: Dictionary;
  readonly model: Model;
  readonly data: DictionaryData;
  readonly options: DiagnoseOptions;
  readonly pairs: readonly HookPair[];
}

function capture(
  { dictionary, model, data, options, pairs }: Search,
  prependBos: boolean | undefined,
): Promise<CapturedVectors> {
  const hooks = [...new Set(pairs.flatMap(({ readHook, writeHook }) => [readHook, writeHook]))];
  const { onProgress: _, ...rest } = options;
  const asked = { tokens: 1024, ...rest, ...(prependBos === undefined ? {} : { prependBos }) };
  return captureVectors({ dictionary, model, data, hooks, options: asked });
}

async function measure(
  search: Search,
  captured: CapturedVectors,
  prependBos: boolean | undefined,
): Promise<readonly Measured[]> {
  const { dictionary, model, options, pairs } = search;
  const onProgress = progressOf(options);
  return measureAll({
    dictionary,
    captured,
    pairs,
    variations: variations(dictionary),
    engine: model.view.core.engine,
    prependBos,
    signal: options.signal,
    report: (done, total) => onProgress?.({ done, total, label: "diagnose" }),
  });
}

function lowest(rows: readonly Measured[]): Measured {
  const [first, ...rest] = rows.filter(({ fvu }) => !Number.isNaN(fvu));
  if (first === undefined || first !== rows[0]) throw noVariance();
  return rest.reduce((best, row) => (row.fvu < best.fvu ? row : best), first);
}

/** Measures the claimed and the best convention again on texts with the other habit of BOS. */
async function withOtherBos(search: Search, best: Measured, habit: boolean): Promise<readonly Measured[]> {
  const { dictionary } = search;
  const pairs = [{ readHook: dictionary.readHook, writeHook: dictionary.writeHook }, best.convention].filter(
    (pair, i, all) => i === 0 || pair.readHook !== all[0]?.readHook || pair.writeHook !== all[0].writeHook,
  );
  const other = { ...search, pairs };
  return measure(other, await capture(other, !habit), !habit);
}

/** How the dictionary does on BOS itself, under a convention. */
async function measureBos(
  search: Search,
  captured: CapturedVectors,
  { convention }: Measured,
): Promise<BosFinding | undefined> {
  const { dictionary, model } = search;
  const read = captured.hooks.get(convention.readHook);
  const write = captured.hooks.get(convention.writeHook);
  if (captured.bosTokens === 0 || read === undefined || write === undefined) return undefined;
  const only = { ...read, data: read.bos };
  const { input, target } = posed(only, write === read ? only : { ...write, data: write.bos }, {
    ...convention,
    scale: "1",
  });
  const { scale } = posed(read, write, convention);
  const varied = asVaried(dictionary, convention);
  const scaled = input.map((value) => value * scale);
  const { reconstruction, l0 } = await forwarded(varied, scaled, model.view.core.engine);
  const factor = read === write ? scale : 1;
  let [error, size] = [0, 0];
  reconstruction.forEach((value, i) => {
    const wanted = (target[i] ?? 0) * factor;
    error += (wanted - value) ** 2;
    size += wanted ** 2;
  });
  return { tokens: captured.bosTokens, relativeError: error / size, l0 };
}

/** Folds a factor on the input into the weights. */
async function scaledWeights({ weights, kind }: Dictionary, scale: number): Promise<WeightMap> {
  const out: WeightMap = new Map(weights);
  const multiply = async (name: DictionaryWeightName, factor: number): Promise<void> => {
    const weight = weights.get(name);
    if (weight !== undefined) out.set(name, await mapWeight(weight, (value) => value * factor));
  };
  await multiply("W_enc", scale);
  if (kind !== "sae") await multiply("W_skip", scale);
  else for (const name of ["W_dec", "b_dec"] as const) await multiply(name, 1 / scale);
  return out;
}

/** The dictionary with the best convention as its own. */
async function corrected(
  { dictionary }: Search,
  captured: CapturedVectors,
  { convention }: Measured,
): Promise<Dictionary> {
  const read = captured.hooks.get(convention.readHook);
  const varied = asVaried(dictionary, convention);
  if (read === undefined || convention.scale === "1") return varied;
  const { scale } = posed(read, read, convention);
  const { name, config } = varied;
  return new Dictionary({ name, config, weights: await scaledWeights(varied, scale) });
}

/**
 * Measures FVU and L0 of a dictionary at its claimed hook points and under every other convention, and says which is right:
 * neighbouring hook points (the same block's, one block off), a centred stream, inputs scaled to the norm √d (each vector, or
 * all by one factor) or layer-normalised, `b_dec` subtracted or not, texts with BOS or without.
 *
 * Numbers are over ordinary tokens; control tokens are left out, and BOS is judged apart. A few hundred tokens of any text
 * like the training text are enough. What no measurement can tell, such as decoder norms folded or not, does not change the
 * function.
 *
 * @param data - Texts, a dataset, or batches; texts and datasets are read twice, with BOS and without.
 * @throws ShapeError for a dictionary of another width, HookNotFoundError for a hook point that the model lacks, InputError for
 * data of less than two tokens or activations that do not vary.
 */
export async function diagnose(
  dictionary: Dictionary,
  model: Model,
  data: DictionaryData,
  options: DiagnoseOptions = {},
): Promise<Diagnosis> {
  checkHooks(model, [dictionary], "diagnose");
  checkWidths(model, dictionary);
  const { readHook, writeHook, config } = dictionary;
  const pairs = neighbours({ readHook, writeHook }, model.hookNames());
  const search: Search = { dictionary, model, data, options, pairs };
  const varies = canVaryBos(model, data, options);
  const habit = options.prependBos ?? config.prependBos ?? model.view.core.tokenizer?.prependsBos;
  const asked = varies ? (habit ?? true) : options.prependBos;
  const captured = await capture(search, asked);
  const rows = await measure(search, captured, asked);
  const first = lowest(rows);
  const others = varies ? await withOtherBos(search, first, habit ?? true) : [];
  const all = [...rows, ...others];
  const best = lowest(all);
  return new Diagnosis({
    name: dictionary.name,
    rows: all,
    best,
    bos: await measureBos(search, captured, first),
    dictionary: await corrected(search, captured, best),
    claimedK: config.activation.kind === "topk" ? config.activation.k : undefined,
    claimedModel: config.model,
    provenance: {
      model: model.id,
      identity: model.view.core.checkpoint.identity,
      edits: model.edits.map((edit) => edit.name),
      tokens: captured.tokens,
      dataHash: captured.dataHash,
    },
  });
}

function noVariance(): InputError {
  return new InputError({
    where: "diagnose: data",
    got: "activations that do not vary from token to token",
    expected: "ordinary text",
    fix: "Pass text with different tokens.",
  });
}
