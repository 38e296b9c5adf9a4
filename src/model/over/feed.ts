/** The batches of a run over data: checked, counted and chained by a hash before anything is computed. */
import { createHash } from "node:crypto";
import { InputError, throwIfAborted } from "../../core/index.js";
import type { ModelConfig } from "../config.js";
import { type Batch, prepareInput } from "../run/input.js";
import type { InputOptions, ModelInput } from "../run/input-types.js";
import type { Tokenizer } from "../tokenizer/index.js";
import type { ModelView } from "../view.js";
import { type CountedTokens, countTokens, type ExcludeOptions, exclusion } from "./counted.js";

/** What {@link PaddableDocuments} get from a model. */
export interface PadModel {
  readonly tokenizer: Tokenizer;
  readonly config: ModelConfig;
}

/** Documents that can make their own batches: a `Dataset`. */
export interface PaddableDocuments {
  pad(
    model: PadModel,
    options: { readonly batchTokens?: number; readonly long: "split"; readonly prependBos?: boolean },
  ): AsyncIterable<ModelInput>;
}

/** Batches whose making can be stopped by a signal. */
interface StoppableBatches {
  iterate(options: { readonly signal?: AbortSignal }): AsyncIterable<ModelInput>;
}

/** Model inputs one after another, each a batch; or documents, which get one row each. */
export type OverInputs = AsyncIterable<ModelInput> | Iterable<ModelInput> | PaddableDocuments;

/** What decides which tokens are fed and counted. */
export interface FeedOptions extends InputOptions, ExcludeOptions {
  /** Most slots in a batch; only for documents, since batches are made already. */
  readonly batchTokens?: number;
  /** Counts this many tokens and stops. */
  readonly maxTokens?: number;
  readonly signal?: AbortSignal;
}

/** One batch, ready to run. */
export interface FeedItem {
  /** Number of the batch, from 0. */
  readonly index: number;
  readonly input: ModelInput;
  readonly batch: Batch;
  readonly tokens: CountedTokens;
  /** SHA-256 over this batch and all before it. */
  readonly hash: string;
}

/** Yields every batch of the inputs. */
export async function* feed(view: ModelView, inputs: OverInputs, options: FeedOptions): AsyncGenerator<FeedItem> {
  const { tokenizer } = view.core;
  const special = tokenizer === undefined ? undefined : (id: number) => tokenizer.isSpecial(id);
  const rules = { isExcluded: exclusion(options, special), excludeFirst: options.excludeFirst === true };
  const maxTokens = checkedLimit(options.maxTokens);
  let [index, firstRow, counted, hash] = [0, 0, 0, ""];
  for await (const input of openInputs(view, inputs, options)) {
    throwIfAborted(options.signal, "model.over");
    if (counted >= maxTokens) break;
    const batch = prepareInput(view.core, checkedItem(input), options);
    const tokens = countTokens(batch, rules, { firstRow, limit: maxTokens - counted });
    hash = chain(hash, batch);
    yield { index, input, batch, tokens, hash };
    index += 1;
    firstRow += batch.batch;
    counted += tokens.count;
  }
  if (index === 0) throw noInputs();
}

function openInputs(
  view: ModelView,
  inputs: OverInputs,
  options: FeedOptions,
): AsyncIterable<ModelInput> | Iterable<ModelInput> {
  if (typeof inputs === "object" && "pad" in inputs && typeof inputs.pad === "function") {
    const { batchTokens, prependBos } = options;
    const given = {
      ...(batchTokens === undefined ? {} : { batchTokens }),
      ...(prependBos === undefined ? {} : { prependBos }),
    };
    return stoppable(inputs.pad(padModel(view), { long: "split", ...given }), options);
  }
  if (options.batchTokens !== undefined) throw madeAlready();
  if (typeof inputs === "object" && (Symbol.asyncIterator in inputs || Symbol.iterator in inputs))
    return stoppable(inputs, options);
  throw notIterable(inputs);
}

/** A shuffled file may be indexed for long before its first batch; batches that take a signal get it. */
function stoppable<I extends AsyncIterable<ModelInput> | Iterable<ModelInput>>(
  inputs: I,
  { signal }: FeedOptions,
): I | AsyncIterable<ModelInput> {
  if (signal === undefined || !isStoppable(inputs)) return inputs;
  return inputs.iterate({ signal });
}

function isStoppable(inputs: object): inputs is StoppableBatches {
  return "iterate" in inputs && typeof inputs.iterate === "function";
}

function padModel({ core }: ModelView): PadModel {
  return {
    config: core.config,
    get tokenizer() {
      if (core.tokenizer !== undefined) return core.tokenizer;
      throw new InputError({
        where: "model.over",
        got: "texts, for a model without a tokenizer",
        expected: "token ids",
        fix: "Pass data.tokens(…), or put tokenizer.json into the model's folder.",
      });
    },
  };
}

function chain(before: string, { tokens, values, mask, positions, batch, pos }: Batch): string {
  const hash = createHash("sha256").update(`${before} ${batch} ${pos}`);
  for (const part of [tokens, values?.contiguous().data, mask, positions]) {
    hash.update(part === undefined ? "-" : new Uint8Array(part.buffer, part.byteOffset, part.byteLength));
  }
  return hash.digest("hex");
}

function checkedItem(input: ModelInput): ModelInput {
  if (typeof input !== "number") return input;
  throw new InputError({
    where: "model.over: inputs",
    got: "a list of numbers",
    expected: "a list of inputs, each a batch or a row of token ids",
    fix: "Wrap one row in a list: model.over([[1, 2, 3]], options).",
  });
}

function checkedLimit(maxTokens: number | undefined): number {
  if (maxTokens === undefined) return Infinity;
  if (Number.isSafeInteger(maxTokens) && maxTokens >= 1) return maxTokens;
  throw new InputError({
    where: "model.over: maxTokens",
    got: String(maxTokens),
    expected: "a whole number of tokens, at least 1",
    fix: "Leave it out to read all data.",
  });
}

function notIterable(inputs: unknown): InputError {
  return new InputError({
    where: "model.over: inputs",
    got: typeof inputs === "string" ? "one text" : `one ${typeof inputs} that cannot be iterated over`,
    expected: "a dataset, batches, or a list of inputs",
    fix: "Put a single input into a list, or run it with model.run.",
  });
}

function madeAlready(): InputError {
  return new InputError({
    where: "model.over: batchTokens",
    got: "a size for batches that are made already",
    expected: "batchTokens with a dataset of documents only",
    fix: "Say it where the batches are made: dataset.pack(model, { batchTokens }).",
  });
}

function noInputs(): InputError {
  return new InputError({
    where: "model.over: inputs",
    got: "no inputs",
    expected: "at least one",
    fix: "Check the dataset; an iterator that was used up yields nothing a second time.",
  });
}
