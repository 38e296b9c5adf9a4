/** Rows of token ids to harvest activations from: texts one after another, cut at the model's context. */
import { InputError, type LongCallOptions, throwIfAborted } from "../../core/index.js";
import type { Model, Tokenizer } from "../../model/index.js";

/** Batches of rows, as `dataset.pack` makes them. */
interface PackedBatches {
  iterate(options: { readonly signal?: AbortSignal }): AsyncIterable<{ readonly tokens: readonly Int32Array[] }>;
}

/** Documents that can be packed into rows: a `Dataset`. */
export interface PackableDocuments {
  /** What they are, in words. */
  readonly description: string;
  shuffle(seed: number): PackableDocuments;
  pack(
    model: { readonly tokenizer: Tokenizer; readonly config: { readonly nCtx: number } },
    options: { readonly contextLength?: number; readonly lastRow: "drop" | "pad" },
  ): PackedBatches;
}

/** What a dictionary is trained on: a dataset, or texts. */
export type TrainingData = PackableDocuments | readonly string[];

/** What rows are made with. */
export interface RowOptions extends LongCallOptions {
  readonly contextLength: number;
  readonly seed: number;
  /** Tokens after which no more documents are read. */
  readonly enough: number;
  /** Tells which ids count. */
  readonly counts: (id: number) => boolean;
}

/** Rows in memory, 4 bytes a token, with how many tokens of each count. */
export interface TokenRows {
  readonly rows: readonly Int32Array[];
  readonly counts: Int32Array;
  readonly description: string;
}

/** Reads as many rows as training needs; documents are in the order of the seed. */
export async function readRows(model: Model, data: TrainingData, options: RowOptions): Promise<TokenRows> {
  const { enough, counts: isCounted, signal, onProgress } = options;
  const rows: Int32Array[] = [];
  const counts: number[] = [];
  let tokens = 0;
  for await (const row of packedRows(model, data, options)) {
    throwIfAborted(signal, "trainDictionary: read texts");
    const count = row.reduce((sum, id) => sum + (isCounted(id) ? 1 : 0), 0);
    rows.push(row);
    counts.push(count);
    tokens += count;
    onProgress?.({ done: tokens, total: Math.max(tokens, enough), label: "read texts" });
    if (tokens >= enough) break;
  }
  if (tokens === 0) throw noTokens(rows.length);
  const description = "description" in data ? data.description : `${data.length} texts`;
  return { rows, counts: Int32Array.from(counts), description };
}

async function* packedRows(model: Model, data: TrainingData, options: RowOptions): AsyncGenerator<Int32Array> {
  const { contextLength, seed, signal } = options;
  if (!("pack" in data)) {
    yield* joinedTexts(model, data, contextLength);
    return;
  }
  const batches = data.shuffle(seed).pack(model, { contextLength, lastRow: "drop" });
  for await (const { tokens } of batches.iterate(signal === undefined ? {} : { signal })) yield* tokens;
}

/** Texts as `dataset.pack` joins them: BOS where the tokenizer puts it in front by itself, else EOS behind. */
function* joinedTexts(model: Model, texts: readonly string[], length: number): Generator<Int32Array> {
  const { tokenizer } = model;
  const { prependsBos, eosId } = tokenizer;
  const ending = prependsBos || eosId === undefined ? [] : [eosId];
  let pending: number[] = [];
  for (const text of texts) {
    pending.push(...tokenizer.encode(text).ids, ...ending);
    for (; pending.length >= length; pending = pending.slice(length)) yield Int32Array.from(pending.slice(0, length));
  }
}

function noTokens(rows: number): InputError {
  return new InputError({
    where: "trainDictionary: data",
    got: rows === 0 ? "not one whole row of tokens" : `${rows} rows of control tokens only`,
    expected: "text of at least one context",
    fix: "Give more text, or a smaller contextLength.",
  });
}
