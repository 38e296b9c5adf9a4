/**
 * Judges dictionaries on held-out text, in one pass.
 *
 * For each batch: the model as it is; the model with each dictionary in place of its activation, and with zeros there; for
 * a set also with all of them at once. Tokens that do not count (special ones, padding) keep the model's own values.
 */
import { InputError, progressOf, throwIfAborted } from "../../core/index.js";
import {
  type CountedBatch,
  countedBatches,
  type Edit,
  edit,
  type Model,
  type Run,
  type RunOptions,
} from "../../model/index.js";
import type { Dictionary } from "../dictionary.js";
import { DictionarySet } from "../set.js";
import { checkHooks, type DictionaryData, type DictionaryDataOptions, type Feed, feedOf } from "./data.js";
import { FeatureCounts } from "./feature-counts.js";
import { measureGeometry } from "./geometry.js";
import { type CountedSlots, countedSlots, Divergence, LossSums, type ReplacementLoss } from "./losses.js";
import { ReconstructionSums } from "./reconstruction.js";
import { DictionaryEvaluation, DictionarySetEvaluation, type EvaluationProvenance } from "./result.js";

/** Options of `evaluateDictionary`. */
export interface EvaluationOptions extends DictionaryDataOptions {
  /** Whether losses are measured: two more runs for each dictionary. Default true. */
  readonly losses?: boolean;
}

/** A dictionary in a model, only where tokens count; and zeros in its place. */
interface Judged {
  readonly dictionary: Dictionary;
  readonly spliced: Model;
  readonly ablated: Model;
  readonly sums: ReconstructionSums;
  readonly counts: FeatureCounts;
  readonly losses: LossSums;
}

/** The slots that edits touch: one object for all batches, so that each view keeps one graph. */
class Touched {
  #counted: Uint8Array = new Uint8Array(0);
  #pos = 0;

  /** Turns to a batch. */
  set({ counted }: CountedSlots, pos: number): void {
    this.#counted = counted;
    this.#pos = pos;
  }

  /** Returns an edit that touches counted slots only. */
  only(whole: Edit): Edit {
    const where = ({ row = 0, pos = 0 }: Readonly<Record<string, number>>): boolean =>
      this.#counted[row * this.#pos + pos] === 1;
    return { ...whole, select: { where } };
  }
}

/** Every run of a pass, and what they add up to. */
class Evaluator {
  readonly #model: Model;
  readonly #hasLosses: boolean;
  readonly #runOptions: RunOptions;
  readonly #divergence: Divergence;
  readonly #touched = new Touched();
  readonly judged: readonly Judged[];
  /** All dictionaries at once; absent for one alone. */
  readonly together: Pick<Judged, "ablated" | "losses" | "spliced"> | undefined;

  constructor(model: Model, dictionaries: readonly Dictionary[], { hasLosses, runOptions }: EvaluatorOptions) {
    this.#model = model;
    this.#hasLosses = hasLosses;
    this.#runOptions = runOptions;
    this.#divergence = new Divergence(model);
    // Where nothing after the splice is asked for, there is nothing to keep.
    const kept = (whole: Edit): Edit => (this.#hasLosses ? this.#touched.only(whole) : whole);
    const splices = dictionaries.map((one) => kept(one.splice()));
    const zeros = dictionaries.map(({ writeHook }) => this.#touched.only(edit.zero(writeHook)));
    const views = (i: readonly number[]) => ({
      spliced: model.with(...i.flatMap((at) => splices[at] ?? [])),
      ablated: model.with(...i.flatMap((at) => zeros[at] ?? [])),
      losses: new LossSums(),
    });
    this.judged = dictionaries.map((dictionary, i) => ({
      dictionary,
      ...views([i]),
      sums: new ReconstructionSums(dictionary.config.dOut),
      counts: new FeatureCounts(dictionary.nFeatures),
    }));
    this.together = dictionaries.length > 1 ? views([...dictionaries.keys()]) : undefined;
  }

  /** Runs one batch. */
  async add(batch: CountedBatch): Promise<void> {
    if (batch.tokens.count === 0) return;
    const slots = countedSlots(batch);
    this.#touched.set(slots, batch.pos);
    const capture = [...new Set(this.judged.map(({ dictionary }) => dictionary.writeHook))];
    const clean = await this.#run(this.#model, batch, capture);
    for (const one of this.judged) await this.#addOne(one, { batch, clean, slots });
    if (this.#hasLosses && this.together !== undefined) {
      await this.#addLosses(this.together, await this.#run(this.together.spliced, batch, []), { batch, clean, slots });
    }
    clean.release();
  }

  async #addOne(one: Judged, given: BatchRun): Promise<void> {
    const { dictionary, sums, counts } = one;
    const { recons, actsPost } = dictionary.hooks;
    const run = await this.#run(one.spliced, given.batch, [recons, actsPost]);
    const numbers = (from: Run, hook: string): ArrayLike<number> =>
      from.cache.get(hook).contiguous().data as ArrayLike<number>;
    const [x, y, acts] = [numbers(given.clean, dictionary.writeHook), numbers(run, recons), numbers(run, actsPost)];
    for (const slot of given.batch.tokens.slots) {
      sums.add(x, y, slot * dictionary.config.dOut);
      counts.add(acts, slot * dictionary.nFeatures);
    }
    if (this.#hasLosses) await this.#addLosses(one, run, given);
    else run.release();
  }

  async #addLosses(
    { losses, ablated }: Pick<Judged, "ablated" | "losses">,
    spliced: Run,
    { batch, clean, slots }: BatchRun,
  ): Promise<void> {
    losses.count(slots, batch.tokens.count);
    losses.addLoss("clean", clean, slots);
    const without = await this.#run(ablated, batch, []);
    for (const [kind, run] of [["spliced", spliced] as const, ["ablated", without] as const]) {
      losses.addLoss(kind, run, slots);
      losses.addDivergence(kind, await this.#divergence.of(clean.logits, run.logits), slots);
      run.release();
    }
  }

  #run(view: Model, { input }: CountedBatch, capture: readonly string[]): Promise<Run> {
    const logits = this.#hasLosses ? { logits: "all" as const, loss: true } : { logits: "none" as const };
    return view.run(input, { ...this.#runOptions, ...logits, capture });
  }
}

interface EvaluatorOptions {
  readonly hasLosses: boolean;
  readonly runOptions: RunOptions;
}

interface BatchRun {
  readonly batch: CountedBatch;
  readonly clean: Run;
  readonly slots: CountedSlots;
}

const where = "evaluateDictionary";

function widthOf(model: Model, dictionaries: readonly Dictionary[], hasLosses: boolean): number {
  const widest = Math.max(...dictionaries.map(({ config }) => config.nFeatures + 2 * config.dOut));
  return Math.max(widest, hasLosses ? 2 * model.config.dVocabOut : 0);
}

async function runAll(evaluator: Evaluator, model: Model, feed: Feed, options: EvaluationOptions): Promise<RunTotals> {
  const onProgress = progressOf(options);
  let [tokens, hash] = [0, ""];
  for await (const batch of countedBatches(model, feed.inputs, feed.options)) {
    throwIfAborted(options.signal, where);
    await evaluator.add(batch);
    tokens += batch.tokens.count;
    hash = batch.hash;
    onProgress?.({
      done: tokens,
      label: "evaluate: tokens",
      ...(options.tokens === undefined ? {} : { total: options.tokens }),
    });
  }
  if (tokens > 0) return { tokens, hash };
  throw new InputError({
    where,
    got: "no token that counts",
    expected: "text with ordinary tokens",
    fix: "Check the data, excludeSpecial and excludeFirst.",
  });
}

interface RunTotals {
  readonly tokens: number;
  readonly hash: string;
}

function provenanceOf(model: Model, { options }: Feed, { tokens, hash }: RunTotals): EvaluationProvenance {
  const { core, precision, edits } = model.view;
  return {
    model: model.id,
    identity: core.checkpoint.identity,
    precision,
    edits: edits.map(({ name }) => name),
    dataHash: hash,
    tokens,
    excludesSpecial: options.excludeSpecial === true,
    excludesFirst: options.excludeFirst === true,
  };
}

/**
 * Judges a dictionary, or each dictionary of a set and all of them at once, on held-out text.
 *
 * Reconstruction is measured at the hook point written, in float64 over all counted tokens; losses with the dictionary in
 * place of the activation, against the model as it is and against zeros. Tokens that do not count keep the model's values.
 *
 * @param data - Texts, a dataset (one row for each document), batches, or any iterable of model inputs.
 * @throws HookNotFoundError for a model without its hook points; ShapeError for one of another width; InputError when no
 *   token counts; AbortedError.
 */
export function evaluateDictionary(
  model: Model,
  dictionary: Dictionary,
  data: DictionaryData,
  options?: EvaluationOptions,
): Promise<DictionaryEvaluation>;
export function evaluateDictionary(
  model: Model,
  dictionary: DictionarySet,
  data: DictionaryData,
  options?: EvaluationOptions,
): Promise<DictionarySetEvaluation>;
export async function evaluateDictionary(
  model: Model,
  dictionary: Dictionary | DictionarySet,
  data: DictionaryData,
  options: EvaluationOptions = {},
): Promise<DictionaryEvaluation | DictionarySetEvaluation> {
  const all = dictionary instanceof DictionarySet ? dictionary.dictionaries : [dictionary];
  const { evaluations, together, provenance } = await judge(model, all, data, options);
  const [first] = evaluations;
  if (!(dictionary instanceof DictionarySet) && first !== undefined) return first;
  return new DictionarySetEvaluation({ name: dictionary.name, evaluations, together, provenance });
}

interface Judgement {
  readonly evaluations: readonly DictionaryEvaluation[];
  readonly together: ReplacementLoss | undefined;
  readonly provenance: EvaluationProvenance;
}

async function judge(
  model: Model,
  all: readonly Dictionary[],
  data: DictionaryData,
  options: EvaluationOptions,
): Promise<Judgement> {
  checkHooks(model, all, where);
  const hasLosses = options.losses !== false;
  const feed = feedOf(model, all, data, { options, width: widthOf(model, all, hasLosses) });
  const evaluator = new Evaluator(model, all, { hasLosses, runOptions: runOptionsOf(feed) });
  const provenance = provenanceOf(model, feed, await runAll(evaluator, model, feed, options));
  const evaluations: DictionaryEvaluation[] = [];
  for (const { dictionary, sums, counts, losses } of evaluator.judged) {
    const geometry = await measureGeometry(dictionary);
    const own = hasLosses ? losses.finish() : undefined;
    evaluations.push(
      new DictionaryEvaluation({
        dictionary,
        reconstruction: sums.finish(),
        counts,
        losses: own,
        geometry,
        provenance,
      }),
    );
  }
  const together = hasLosses ? (evaluator.together?.losses.finish() ?? evaluations[0]?.losses) : undefined;
  return { evaluations, together, provenance };
}

function runOptionsOf({ options: { prependBos, signal } }: Feed): RunOptions {
  return { ...(prependBos === undefined ? {} : { prependBos }), ...(signal === undefined ? {} : { signal }) };
}
