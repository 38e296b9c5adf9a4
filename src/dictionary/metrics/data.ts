/** The data that dictionaries are judged on, and which of its tokens count. */
import { HookNotFoundError, type LongCallOptions, nearestNames } from "../../core/index.js";
import type { FeedOptions, Model, OverInputs } from "../../model/index.js";
import type { Dictionary } from "../dictionary.js";

/** Texts, a dataset, batches, or any iterable of model inputs. */
export type DictionaryData = OverInputs | readonly string[];

/** Which tokens of the data count, and how they are run. */
export interface DictionaryDataOptions extends LongCallOptions {
  /** Counts this many tokens and stops; default all of the data. */
  readonly tokens?: number;
  /** Most slots in a batch of documents or texts; default 4,096, fewer for wide dictionaries and large vocabularies. */
  readonly batchTokens?: number;
  /** Leaves out control tokens (BOS, EOS, …); default true where the model has a tokenizer. */
  readonly excludeSpecial?: boolean;
  /** Leaves out the first token of every row. Default false. */
  readonly excludeFirst?: boolean;
  /** BOS in front of texts and documents; default as the dictionary was trained, else the tokenizer's own habit. */
  readonly prependBos?: boolean;
}

/** Numbers of one batch at most, over all slots. */
const batchNumbers = 64e6;

/** Returns how many slots a batch may have when each takes `width` numbers. */
export function defaultBatchTokens(width: number): number {
  return Math.max(128, Math.min(4096, Math.floor(batchNumbers / Math.max(1, width))));
}

/** Inputs and options that `model.over` takes. */
export interface Feed {
  readonly inputs: OverInputs;
  readonly options: FeedOptions;
}

function isTexts(data: DictionaryData): data is readonly string[] {
  return Array.isArray(data) && data.length > 0 && data.every((one) => typeof one === "string");
}

/** Texts in batches: as many as hold about `batchTokens` slots, four characters a token. */
function* textBatches(texts: readonly string[], batchTokens: number): Generator<readonly string[]> {
  let batch: string[] = [];
  let longest = 0;
  for (const text of texts) {
    longest = Math.max(longest, text.length / 4);
    if (batch.length > 0 && (batch.length + 1) * longest > batchTokens) {
      yield batch;
      [batch, longest] = [[], text.length / 4];
    }
    batch.push(text);
  }
  yield batch;
}

/** Turns data and options into what `model.over` takes; `width` is the most numbers that one slot takes. */
export function feedOf(
  model: Model,
  dictionaries: readonly Dictionary[],
  data: DictionaryData,
  { options, width }: { readonly options: DictionaryDataOptions; readonly width: number },
): Feed {
  const { tokens, excludeFirst, batchTokens = defaultBatchTokens(width) } = options;
  const { excludeSpecial = model.view.core.tokenizer !== undefined } = options;
  const prependBos =
    options.prependBos ?? dictionaries.find((one) => one.config.prependBos !== undefined)?.config.prependBos;
  const isPadded = typeof data === "object" && "pad" in data;
  const given = {
    excludeSpecial,
    maxTokens: tokens,
    excludeFirst,
    prependBos,
    signal: options.signal,
    batchTokens: isPadded ? batchTokens : undefined,
  };
  const defined = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
  return { inputs: isTexts(data) ? textBatches(data, batchTokens) : data, options: defined };
}

/**
 * Checks that a model has the hook points of dictionaries.
 *
 * @throws HookNotFoundError that names the nearest ones.
 */
export function checkHooks(model: Model, dictionaries: readonly Dictionary[], where: string): void {
  const names = model.hookNames();
  for (const dictionary of dictionaries) {
    const missing = [dictionary.readHook, dictionary.writeHook].find((hook) => !names.includes(hook));
    if (missing === undefined) continue;
    throw new HookNotFoundError({
      where: `${where}: dictionary ${dictionary.name}`,
      got: `the hook point "${missing}", which model "${model.id}" lacks`,
      expected: `the model that it was made for; nearest: ${nearestNames(missing, names).join(", ")}`,
      fix: "Load the dictionary's own model; see dictionary.config.model.",
    });
  }
}
