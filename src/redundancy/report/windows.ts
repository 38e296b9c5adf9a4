/** From texts to windows of token ids. */
import { InputError, type LongCallOptions } from "../../core/index.js";
import { Dataset, data } from "../../data/index.js";
import type { Model } from "../../model/index.js";

/** Texts: a dataset, one text, or documents that are texts, `{ text }` or `{ tokens }`. */
export type ReportTexts = string | Dataset<unknown> | Iterable<unknown> | AsyncIterable<unknown>;

const where = "redundancy.report";

/** Characters that are more than enough for a token. */
const charactersPerToken = 32;

/** The text or ids of a document. */
function readDocument(one: unknown, index: number): string | readonly number[] {
  const isObject = typeof one === "object" && one !== null;
  const value: unknown = isObject && "text" in one ? one.text : isObject && "tokens" in one ? one.tokens : one;
  if (typeof value === "string") return value;
  if (Array.isArray(value) || value instanceof Int32Array) return Array.from(value, Number);
  throw notText(index, value);
}

async function collect(texts: Iterable<unknown> | AsyncIterable<unknown>, tokens: number): Promise<Dataset<unknown>> {
  const documents: (string | readonly number[])[] = [];
  let enough = 0;
  for await (const one of texts) {
    const own = readDocument(one, documents.length);
    documents.push(own);
    enough += typeof own === "string" ? own.length / charactersPerToken : own.length;
    if (enough >= tokens) break;
  }
  const written = documents.filter((one) => typeof one === "string");
  if (written.length > 0 && written.length < documents.length) throw notText(documents.length, "texts and ids mixed");
  return written.length > 0 ? data.text(written) : data.tokens(documents.filter((one) => typeof one !== "string"));
}

function notText(index: number, value: unknown): InputError {
  return new InputError({
    where: `${where}: document ${index}`,
    got: typeof value === "string" ? value : `a ${value === null ? "null" : typeof value}`,
    expected: "documents that are all texts, or all token ids",
    fix: 'Pass data.file("my.jsonl", "text"), or a list of texts.',
  });
}

function tooShort(window: number, found: number): InputError {
  return new InputError({
    where,
    got: `${found} tokens of text`,
    expected: `at least one window of ${window}`,
    fix: `Give more text, or a shorter window: { window: ${Math.max(8, 2 ** Math.floor(Math.log2(Math.max(8, found))))} }.`,
  });
}

function allAlike(id: number): InputError {
  return new InputError({
    where,
    got: `nothing but the token id ${id}: padding, or one token over and over`,
    expected: "text",
    fix: "Check where the tokens come from.",
  });
}

/**
 * Returns full windows of tokens, at most as many as hold `tokens`; documents follow each other, a short end is dropped.
 *
 * @throws InputError for text shorter than a window, and for tokens that are all the same.
 */
export async function readWindows(
  model: Model,
  texts: ReportTexts,
  { tokens, window, signal }: LongCallOptions & { readonly tokens: number; readonly window: number },
): Promise<readonly Int32Array[]> {
  const given = typeof texts === "string" ? data.text([texts]) : texts;
  const dataset = given instanceof Dataset ? given : await collect(given, tokens);
  const source = model.view.core.tokenizer === undefined ? undefined : model;
  const batches = dataset.pack(source, { contextLength: window, batchTokens: 16 * window });
  const rows: Int32Array[] = [];
  let seen = 0;
  for await (const { tokens: own, tokenCount, attentionMask } of batches.iterate(
    signal === undefined ? {} : { signal },
  )) {
    seen += tokenCount;
    own.forEach((row, i) => {
      if (attentionMask?.[i]?.includes(0) !== true) rows.push(row);
    });
    if (rows.length * window >= tokens) break;
  }
  const kept = rows.slice(0, Math.max(1, Math.floor(tokens / window)));
  const [first] = kept;
  if (first === undefined) throw tooShort(window, seen);
  if (kept.every((row) => row.every((id) => id === first[0]))) throw allAlike(first[0] ?? 0);
  return kept;
}
