/** Batches: rows of token ids made from documents, in a fixed order, as often as they are asked for. */
import { InputError, type LongCallOptions, printsItself } from "../core/index.js";

/** The part of a row that one document fills. */
export interface Segment<T> {
  /** The document's place in the source, from 0. */
  readonly document: number;
  /** Where it lies, such as `my.jsonl: line 7`. */
  readonly place: string;
  /** The document itself. */
  readonly value: T;
  /** First column of the row, and the column after the last one. */
  readonly start: number;
  readonly end: number;
  /** Which token of the document stands at `start`; above 0 when the document began in an earlier row. */
  readonly offset: number;
}

/** Rows of equal length, ready for `model.run`. */
export interface Batch<T> {
  /** Number of the batch, from 0. */
  readonly index: number;
  /** Token ids, one array per row, all of one length. */
  readonly tokens: readonly Int32Array[];
  /** 1 at tokens and 0 at padding, row by row; absent when there is no padding. */
  readonly attentionMask?: readonly (readonly number[])[];
  /** Per row, the documents in it, from left to right. */
  readonly segments: readonly (readonly Segment<T>[])[];
  /** Per row and column, which of the row's segments the token belongs to; −1 at padding. */
  readonly segmentIds: readonly Int32Array[];
  /** Tokens without padding. */
  readonly tokenCount: number;
}

/** What became of the documents. */
export interface BatchReport {
  readonly documents: number;
  /** Documents without a single token, left out. */
  readonly emptyDocuments: number;
  readonly batches: number;
  readonly rows: number;
  /** Tokens in all batches, padding not counted. */
  readonly tokens: number;
  readonly paddingSlots: number;
  /** Documents cut at `maxLength`, and the tokens lost by it. */
  readonly truncatedDocuments: number;
  readonly truncatedTokens: number;
  /** Short last rows left out on request, and their tokens. */
  readonly droppedRows: number;
  readonly droppedTokens: number;
}

/** A report while it is being written. */
export type ReportCounts = { -readonly [K in keyof BatchReport]: number };

/** One row before it is in a batch. */
export interface PlainRow<T> {
  readonly tokens: Int32Array;
  readonly segments: readonly Segment<T>[];
}

/** Returns a report of zeros. */
export function emptyReport(): ReportCounts {
  return {
    documents: 0,
    emptyDocuments: 0,
    batches: 0,
    rows: 0,
    tokens: 0,
    paddingSlots: 0,
    truncatedDocuments: 0,
    truncatedTokens: 0,
    droppedRows: 0,
    droppedTokens: 0,
  };
}

/** Makes every batch once, from the first, counting into `report`. */
export type BatchMaker<T> = (report: ReportCounts, options: LongCallOptions) => AsyncIterable<Batch<T>>;

/**
 * Batches of a dataset; each `for await` makes the same ones again.
 *
 * To continue a run that stopped after batch k, iterate over `batches.startAt(k + 1)`.
 */
export class Batches<T> implements AsyncIterable<Batch<T>> {
  static {
    printsItself(this.prototype);
  }

  /** What the batches are made of and how, in words; equal descriptions and equal data mean equal batches. */
  readonly description: string;
  readonly #make: BatchMaker<T>;
  readonly #first: number;
  #report: BatchReport | undefined;

  /** @internal Made by `dataset.pack` and `dataset.pad`. */
  constructor(description: string, make: BatchMaker<T>, first: number = 0) {
    this.description = description;
    this.#make = make;
    this.#first = first;
  }

  /** Yields every batch from the first, or from where {@link startAt} says. */
  [Symbol.asyncIterator](): AsyncGenerator<Batch<T>> {
    return this.iterate();
  }

  /** Yields every batch; a signal stops between documents. */
  async *iterate(options: LongCallOptions = {}): AsyncGenerator<Batch<T>> {
    const report = emptyReport();
    for await (const batch of this.#make(report, options)) {
      if (batch.index >= this.#first) yield batch;
    }
    if (report.batches <= this.#first) throw nothingLeft(this.description, report, this.#first);
    this.#report = { ...report };
  }

  /** Returns the same batches without the first `batch`; numbers stay. Documents before it are encoded again. */
  startAt(batch: number): Batches<T> {
    if (Number.isSafeInteger(batch) && batch >= 0) return new Batches(this.description, this.#make, batch);
    throw new InputError({
      where: "batches.startAt",
      got: String(batch),
      expected: "the number of a batch, zero or more",
      fix: "Pass the `index` of the last batch that was finished, plus 1.",
    });
  }

  /**
   * Returns what became of all documents: cut, empty, padded, dropped.
   *
   * It costs nothing after a whole pass; otherwise all documents are encoded for it.
   */
  async report(options: LongCallOptions = {}): Promise<BatchReport> {
    if (this.#report === undefined) for await (const _ of this.iterate(options));
    return this.#report ?? emptyReport();
  }

  /** Returns one line of description. */
  toString(): string {
    return `Batches: ${this.description}`;
  }
}

/** Joins rows to a batch: pads them to one length and counts. */
export function makeBatch<T>(
  rows: readonly PlainRow<T>[],
  shape: { readonly length: number; readonly side: "left" | "right"; readonly padId: number },
  report: ReportCounts,
): Batch<T> {
  const { length, side, padId } = shape;
  const shifts = rows.map(({ tokens }) => (side === "left" ? length - tokens.length : 0));
  const isPadded = rows.some(({ tokens }) => tokens.length < length);
  const tokenCount = rows.reduce((sum, { tokens }) => sum + tokens.length, 0);
  const batch: Batch<T> = {
    index: report.batches,
    tokens: rows.map(({ tokens }, r) => placed(tokens, length, shifts[r] ?? 0, padId)),
    ...(isPadded ? { attentionMask: rows.map(({ tokens }, r) => maskRow(tokens.length, length, shifts[r] ?? 0)) } : {}),
    segments: rows.map(({ segments }, r) => segments.map((segment) => shifted(segment, shifts[r] ?? 0))),
    segmentIds: rows.map((row, r) => segmentIds(row, length, shifts[r] ?? 0)),
    tokenCount,
  };
  report.batches += 1;
  report.rows += rows.length;
  report.tokens += tokenCount;
  report.paddingSlots += rows.length * length - tokenCount;
  return batch;
}

function placed(tokens: Int32Array, length: number, shift: number, padId: number): Int32Array {
  if (tokens.length === length) return tokens;
  const row = new Int32Array(length).fill(padId);
  row.set(tokens, shift);
  return row;
}

function maskRow(count: number, length: number, shift: number): readonly number[] {
  return Array.from({ length }, (_, i) => (i >= shift && i < shift + count ? 1 : 0));
}

function shifted<T>(segment: Segment<T>, shift: number): Segment<T> {
  return shift === 0 ? segment : { ...segment, start: segment.start + shift, end: segment.end + shift };
}

/** Tokens before the first segment (a row's own BOS) count to it. */
function segmentIds<T>({ tokens, segments }: PlainRow<T>, length: number, shift: number): Int32Array {
  const ids = new Int32Array(length).fill(-1);
  ids.fill(0, shift, shift + tokens.length);
  segments.forEach(({ start, end }, i) => ids.fill(i, shift + start, shift + end));
  return ids;
}

function nothingLeft(description: string, report: BatchReport, first: number): InputError {
  const isStart = first > 0 && report.batches > 0;
  return new InputError({
    where: isStart ? "batches.startAt" : `batches of ${description}`,
    got: isStart
      ? `batch ${first} of ${report.batches}`
      : `${report.documents} documents without a row (${report.emptyDocuments} empty, ${report.droppedTokens} tokens dropped)`,
    expected: isStart ? `a number below ${report.batches}` : "at least one row",
    fix: isStart
      ? "The data have fewer batches; the run is finished."
      : 'Check the texts; a short last row is kept with lastRow: "pad".',
  });
}
