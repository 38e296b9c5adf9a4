/**
 * Packing: documents one after another in full rows, so that no slot is wasted.
 *
 * A model sees the end of one document and the start of the next in one row, as in training; `segmentIds` tell them apart.
 */
import { InputError, type LongCallOptions, TokenError } from "../core/index.js";
import { type Batch, Batches, makeBatch, type PlainRow, type ReportCounts, type Segment } from "./batches.js";
import type { Entry, Source } from "./source.js";
import { encoderOf, needBos, paddingId, type TokenizerLike, type TokenizerSource } from "./tokenizer-like.js";

/** Options of `dataset.pack`. */
export interface PackOptions {
  /** Tokens in a row; default the model's context, at most 1,024. */
  readonly contextLength?: number;
  /** Most tokens in a batch; default 4,096, or one row where a row is longer. */
  readonly batchTokens?: number;
  /**
   * BOS in front of every document, of every row (the habit of TransformerLens), or nowhere. Default: `"document"` for
   * texts of a tokenizer that puts BOS in front by itself, else `"none"`. Documents that are token ids are left as they
   * are unless this is given.
   */
  readonly bos?: "document" | "row" | "none";
  /** EOS after every document. Default: when there is one and nothing else marks where a text begins. */
  readonly eos?: boolean;
  /** Token ids after every document, in place of EOS. */
  readonly separator?: readonly number[];
  /** What happens to a last row that is not full: `"pad"` (default, on the right) or `"drop"`. */
  readonly lastRow?: "pad" | "drop";
}

interface PackPlan {
  readonly length: number;
  readonly rowsPerBatch: number;
  readonly prependBos: boolean | undefined;
  readonly rowBos: number | undefined;
  /** Returns the ids that end a document. */
  readonly ending: (isText: boolean) => readonly number[];
  readonly padId: number;
  readonly lastRow: "pad" | "drop";
}

const defaultLength = 1024;
const defaultBatchTokens = 4096;

/** Returns the batches of a source packed into rows. */
export function packBatches<T>(
  source: Source<T>,
  tokenizer: TokenizerSource | undefined,
  options: PackOptions,
): Batches<T> {
  const length = checkedLength(options.contextLength, encoderOf(tokenizer).contextLength);
  const batchTokens = checkedBatchTokens(options.batchTokens, length);
  const shape = { ...options, contextLength: length, batchTokens };
  const description = `${source.description}, packed ${JSON.stringify(shape)}`;
  return new Batches(description, (report, long) => pack(source, tokenizer, shape, { report, long }));
}

interface Pass {
  readonly report: ReportCounts;
  readonly long: LongCallOptions;
}

type SizedOptions = PackOptions & { readonly contextLength: number; readonly batchTokens: number };

async function* pack<T>(
  source: Source<T>,
  tokenizer: TokenizerSource | undefined,
  options: SizedOptions,
  { report, long }: Pass,
): AsyncGenerator<Batch<T>> {
  const plan = packPlan(tokenizer, options);
  const shape = { length: plan.length, side: "right" as const, padId: plan.padId };
  let rows: PlainRow<T>[] = [];
  for await (const row of packRows(source, tokenizer, plan, { report, long })) {
    rows.push(row);
    if (rows.length < plan.rowsPerBatch) continue;
    yield makeBatch(rows, shape, report);
    rows = [];
  }
  if (rows.length > 0) yield makeBatch(rows, shape, report);
}

async function* packRows<T>(
  source: Source<T>,
  tokenizer: TokenizerSource | undefined,
  plan: PackPlan,
  { report, long }: Pass,
): AsyncGenerator<PlainRow<T>> {
  const encoder = encoderOf(tokenizer);
  const writer = new RowWriter<T>(plan);
  for await (const entry of source.stream(long)) {
    report.documents += 1;
    const ids = encoder.encode(entry, plan.prependBos);
    if (ids.length === 0) report.emptyDocuments += 1;
    else yield* writer.write(entry, [...ids, ...plan.ending(isText(entry.value))]);
  }
  const rest = writer.rest();
  if (rest === undefined) return;
  if (plan.lastRow === "pad") yield rest;
  else {
    report.droppedRows += 1;
    report.droppedTokens += rest.tokens.length;
  }
}

/** Fills rows token by token. */
class RowWriter<T> {
  readonly #plan: PackPlan;
  #row: Int32Array;
  #fill = 0;
  #segments: Segment<T>[] = [];

  constructor(plan: PackPlan) {
    this.#plan = plan;
    this.#row = new Int32Array(plan.length);
  }

  *write({ index, place, value }: Entry<T>, ids: readonly number[]): Generator<PlainRow<T>> {
    for (let offset = 0; offset < ids.length; ) {
      this.#begin(ids[offset]);
      const start = this.#fill;
      const count = Math.min(ids.length - offset, this.#plan.length - start);
      this.#row.set(ids.slice(offset, offset + count), start);
      this.#fill += count;
      this.#segments.push({ document: index, place, value, start, end: start + count, offset });
      offset += count;
      if (this.#fill === this.#plan.length) yield this.#flush();
    }
  }

  rest(): PlainRow<T> | undefined {
    return this.#fill === 0 ? undefined : this.#flush();
  }

  /** Puts a row's own BOS in front, unless the row begins with one anyway. */
  #begin(next: number | undefined): void {
    const { rowBos } = this.#plan;
    if (this.#fill > 0 || rowBos === undefined || next === rowBos) return;
    this.#row[0] = rowBos;
    this.#fill = 1;
  }

  #flush(): PlainRow<T> {
    const row = { tokens: this.#row.slice(0, this.#fill), segments: this.#segments };
    this.#fill = 0;
    this.#segments = [];
    return row;
  }
}

function isText(value: unknown): boolean {
  return (
    typeof value === "string" ||
    (typeof value === "object" && value !== null && "text" in value && value.text !== undefined)
  );
}

function packPlan(source: TokenizerSource | undefined, options: SizedOptions): PackPlan {
  const tokenizer = encoderOf(source).tokenizer();
  const { bos, contextLength: length, batchTokens, lastRow = "pad" } = options;
  if (bos === "document") needBos(tokenizer, bosOption);
  return {
    length,
    rowsPerBatch: Math.floor(batchTokens / length),
    prependBos: bos === undefined ? undefined : bos === "document",
    rowBos: bos === "row" ? needBos(tokenizer, bosOption) : undefined,
    ending: endings(tokenizer, options),
    padId: paddingId(tokenizer),
    lastRow,
  };
}

const bosOption = "dataset.pack: bos";

/** What ends a document: a separator, EOS where asked for, or EOS after texts that nothing else marks. */
function endings(tokenizer: TokenizerLike | undefined, { bos, eos, separator }: SizedOptions): PackPlan["ending"] {
  if (separator !== undefined) return () => separator;
  const { bosId, eosId, prependsBos = false } = tokenizer ?? {};
  const marksDocuments = bos === "document" || (bos === undefined && prependsBos);
  if (eos === true) {
    const endId = needEos(eosId);
    if (marksDocuments && endId === bosId) throw doubled(endId);
    return () => [endId];
  }
  const endId = eos === false || marksDocuments ? undefined : eosId;
  return (isTextDocument) => (isTextDocument && endId !== undefined ? [endId] : []);
}

function checkedLength(wanted: number | undefined, context: number | undefined): number {
  if (wanted === undefined && context !== undefined) return Math.min(context, defaultLength);
  const isWhole = wanted !== undefined && Number.isSafeInteger(wanted) && wanted >= 2;
  if (isWhole && (context === undefined || wanted <= context)) return wanted;
  throw new InputError({
    where: "dataset.pack: contextLength",
    got: String(wanted),
    expected:
      context === undefined
        ? "a whole number of tokens, at least 2"
        : `a whole number from 2 to ${context}, the model's context`,
    fix: "Say how many tokens a row holds, such as { contextLength: 256 }.",
  });
}

function checkedBatchTokens(wanted: number | undefined, length: number): number {
  const batchTokens = wanted ?? Math.max(defaultBatchTokens, length);
  if (batchTokens >= length) return batchTokens;
  throw new InputError({
    where: "dataset.pack: batchTokens",
    got: String(batchTokens),
    expected: `at least ${length}, the tokens of one row`,
    fix: "Raise batchTokens, or make rows shorter with contextLength.",
  });
}

function needEos(eosId: number | undefined): number {
  if (eosId !== undefined) return eosId;
  throw new TokenError({
    where: "dataset.pack: eos",
    got: "true, without a tokenizer that has an EOS token",
    expected: "a tokenizer with an EOS token",
    fix: "Leave eos out, or pass the ids that end a document as `separator`.",
  });
}

function doubled(id: number): TokenError {
  return new TokenError({
    where: "dataset.pack: eos",
    got: `EOS after and BOS before every document, which are the same token ${id}`,
    expected: "one of them",
    fix: 'Leave eos out, or pass bos: "none".',
  });
}
