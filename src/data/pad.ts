/** Padding: one document per row, rows of a batch padded to the longest, attention masks at the padding. */
import { formatCount, InputError, type LongCallOptions, TokenError } from "../core/index.js";
import { type Batch, Batches, makeBatch, type PlainRow, type ReportCounts } from "./batches.js";
import type { Entry, Source } from "./source.js";
import { type Encoder, encoderOf, paddingId, type TokenizerSource } from "./tokenizer-like.js";

/** Options of `dataset.pad`. */
export interface PadOptions {
  /** Most tokens in a row; default the model's context, at most `batchTokens`. */
  readonly maxLength?: number;
  /** Most slots in a batch, padding included; default 4,096. */
  readonly batchTokens?: number;
  /** Where padding goes; default `"right"`. */
  readonly side?: "left" | "right";
  /**
   * What happens to longer documents: `"truncate"` (default; the report counts what is lost), `"split"` into several rows
   * (each with BOS in front when the first has it), or `"error"`.
   */
  readonly long?: "truncate" | "split" | "error";
  /** BOS in front: `true`, `false`, or the tokenizer's own habit (default); token ids get it only when `true`. */
  readonly prependBos?: boolean;
  /** Brings documents of similar length together, within windows of 64 batches, so that less is padded. Default false. */
  readonly sortByLength?: boolean;
}

interface PadShape extends PadOptions {
  readonly maxLength: number;
  readonly batchTokens: number;
}

const defaultBatchTokens = 4096;
const windowBatches = 64;

/** Returns the batches of a source with one document per row. */
export function padBatches<T>(
  source: Source<T>,
  tokenizer: TokenizerSource | undefined,
  options: PadOptions,
): Batches<T> {
  const shape = padShape(options, encoderOf(tokenizer).contextLength);
  const description = `${source.description}, padded ${JSON.stringify(shape)}`;
  return new Batches(description, (report, long) => pad(source, tokenizer, shape, { report, long }));
}

interface Pass {
  readonly report: ReportCounts;
  readonly long: LongCallOptions;
}

async function* pad<T>(
  source: Source<T>,
  tokenizer: TokenizerSource | undefined,
  shape: PadShape,
  pass: Pass,
): AsyncGenerator<Batch<T>> {
  const encoder = encoderOf(tokenizer);
  const padId = paddingId(encoder.tokenizer());
  const rows = rowsOf(source, encoder, shape, pass);
  const ordered = shape.sortByLength === true ? sortedInWindows(rows, windowBatches * shape.batchTokens) : rows;
  for await (const group of grouped(ordered, shape.batchTokens)) {
    const length = Math.max(...group.map(({ tokens }) => tokens.length));
    yield makeBatch(group, { length, side: shape.side ?? "right", padId }, pass.report);
  }
}

async function* rowsOf<T>(
  source: Source<T>,
  encoder: Encoder,
  shape: PadShape,
  pass: Pass,
): AsyncGenerator<PlainRow<T>> {
  const { report, long } = pass;
  for await (const entry of source.stream(long)) {
    report.documents += 1;
    const ids = Int32Array.from(encoder.encode(entry, shape.prependBos));
    if (ids.length === 0) report.emptyDocuments += 1;
    else yield* documentRows(entry, ids, { shape, bosId: encoder.tokenizer()?.bosId, report });
  }
}

interface RowRules {
  readonly shape: PadShape;
  readonly bosId: number | undefined;
  readonly report: ReportCounts;
}

function* documentRows<T>(
  entry: Entry<T>,
  ids: Int32Array,
  { shape, bosId, report }: RowRules,
): Generator<PlainRow<T>> {
  const { maxLength, long = "truncate" } = shape;
  const row = (tokens: Int32Array, start: number, offset: number): PlainRow<T> => {
    const { index, place, value } = entry;
    return { tokens, segments: [{ document: index, place, value, start, end: tokens.length, offset }] };
  };
  if (ids.length > maxLength && long === "error") throw tooLong(entry.place, ids.length, maxLength);
  yield row(ids.slice(0, maxLength), 0, 0);
  if (ids.length <= maxLength) return;
  if (long === "truncate") {
    report.truncatedDocuments += 1;
    report.truncatedTokens += ids.length - maxLength;
    return;
  }
  const front = ids[0] === bosId && bosId !== undefined && maxLength > 1 ? [bosId] : [];
  const step = maxLength - front.length;
  for (let offset = maxLength; offset < ids.length; offset += step)
    yield row(Int32Array.of(...front, ...ids.slice(offset, offset + step)), front.length, offset);
}

/** Puts rows of up to `windowTokens` tokens in order of length at a time; equal lengths keep their order. */
async function* sortedInWindows<T>(
  rows: AsyncIterable<PlainRow<T>>,
  windowTokens: number,
): AsyncGenerator<PlainRow<T>> {
  let window: PlainRow<T>[] = [];
  let size = 0;
  for await (const row of rows) {
    window.push(row);
    size += row.tokens.length;
    if (size < windowTokens) continue;
    yield* byLength(window);
    [window, size] = [[], 0];
  }
  yield* byLength(window);
}

function byLength<T>(rows: readonly PlainRow<T>[]): readonly PlainRow<T>[] {
  return rows.toSorted((a, b) => a.tokens.length - b.tokens.length);
}

/** Groups rows so that rows times the longest stay within `batchTokens`. */
async function* grouped<T>(rows: AsyncIterable<PlainRow<T>>, batchTokens: number): AsyncGenerator<PlainRow<T>[]> {
  let group: PlainRow<T>[] = [];
  let longest = 0;
  for await (const row of rows) {
    const next = Math.max(longest, row.tokens.length);
    if (group.length > 0 && (group.length + 1) * next > batchTokens) {
      yield group;
      [group, longest] = [[], 0];
    }
    group.push(row);
    longest = Math.max(longest, row.tokens.length);
  }
  if (group.length > 0) yield group;
}

function padShape(options: PadOptions, context: number | undefined): PadShape {
  const { batchTokens = Math.max(defaultBatchTokens, options.maxLength ?? 0) } = options;
  const bound = Math.min(context ?? Infinity, batchTokens);
  const maxLength = options.maxLength ?? bound;
  const isWhole = Number.isSafeInteger(maxLength) && maxLength >= 1 && batchTokens >= 1;
  if (isWhole && maxLength <= bound) return { ...options, maxLength, batchTokens };
  throw new InputError({
    where: "dataset.pad: maxLength",
    got: String(options.maxLength ?? batchTokens),
    expected: `a whole number from 1 to ${bound}, ${bound === context ? "the model's context" : "batchTokens"}`,
    fix: 'Raise batchTokens, shorten maxLength, or cut long documents with { long: "split" }.',
  });
}

function tooLong(place: string, count: number, maxLength: number): TokenError {
  return new TokenError({
    where: place,
    got: `${formatCount(count)} tokens`,
    expected: `at most ${maxLength}`,
    fix: 'Pass { long: "truncate" } or { long: "split" }, or leave the document out with filter.',
  });
}
