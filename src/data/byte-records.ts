/**
 * Cuts a file into records of bytes, in bounded memory, and tells where each lies.
 *
 * The file is read in pieces into one buffer that grows only when a single record is longer than it.
 */
import { createReadStream } from "node:fs";
import { FormatError, formatBytes, type LongCallOptions, throwIfAborted } from "../core/index.js";

/** A record as it lies in its file. */
export interface ByteRecord {
  readonly bytes: Uint8Array;
  /** Where it starts in the file. */
  readonly offset: number;
  /** The 1-based line on which it starts. */
  readonly line: number;
}

/** Longest record that is read; a JavaScript string cannot be much longer. */
export const maxRecordBytes: number = 1 << 28;

const pieceBytes = 1 << 17;
const lineFeed = 0x0a;

/** Yields the parts of a file between occurrences of `delimiter`; what follows the last one counts when not empty. */
export async function* splitBytes(
  path: string,
  delimiter: Uint8Array,
  { signal }: LongCallOptions = {},
): AsyncGenerator<ByteRecord> {
  const window = new Window(path, delimiter);
  const chunks: AsyncIterable<Uint8Array> = createReadStream(path, { highWaterMark: pieceBytes });
  for await (const chunk of chunks) {
    throwIfAborted(signal, `read ${path}`);
    window.append(chunk);
    yield* window.complete();
  }
  const rest = window.rest();
  if (rest !== undefined) yield rest;
}

/** The bytes that were read and not yet handed out. */
class Window {
  readonly #path: string;
  readonly #delimiter: Uint8Array;
  #buffer: Buffer = Buffer.alloc(2 * pieceBytes);
  #start = 0;
  #end = 0;
  #searched = 0;
  #offset = 0;
  #line = 1;

  constructor(path: string, delimiter: Uint8Array) {
    this.#path = path;
    this.#delimiter = delimiter;
  }

  append(chunk: Uint8Array): void {
    if (this.#end + chunk.length > this.#buffer.length) this.#makeRoom(chunk.length);
    this.#buffer.set(chunk, this.#end);
    this.#end += chunk.length;
  }

  *complete(): Generator<ByteRecord> {
    for (;;) {
      const at = this.#buffer.subarray(0, this.#end).indexOf(this.#delimiter, Math.max(this.#start, this.#searched));
      if (at < 0) break;
      yield this.#take(at, this.#delimiter.length);
    }
    this.#searched = Math.max(this.#start, this.#end - this.#delimiter.length + 1);
    this.#checkLength();
  }

  rest(): ByteRecord | undefined {
    return this.#end > this.#start ? this.#take(this.#end, 0) : undefined;
  }

  #take(end: number, skipped: number): ByteRecord {
    const bytes = Uint8Array.prototype.slice.call(this.#buffer, this.#start, end);
    const record = { bytes, offset: this.#offset, line: this.#line };
    const next = end + skipped;
    this.#line += countByte(this.#buffer, this.#start, next);
    this.#offset += next - this.#start;
    this.#start = next;
    return record;
  }

  #makeRoom(needed: number): void {
    const kept = this.#end - this.#start;
    const capacity = kept + needed > this.#buffer.length / 2 ? 2 * (kept + needed) : this.#buffer.length;
    const target = capacity === this.#buffer.length ? this.#buffer : Buffer.alloc(capacity);
    this.#buffer.copy(target, 0, this.#start, this.#end);
    this.#searched = Math.max(0, this.#searched - this.#start);
    [this.#buffer, this.#start, this.#end] = [target, 0, kept];
  }

  #checkLength(): void {
    if (this.#end - this.#start <= maxRecordBytes) return;
    throw tooLong(this.#path, this.#line);
  }
}

/** The error for a record that is too long to hold. */
export function tooLong(path: string, line: number): FormatError {
  return new FormatError({
    where: `${path}: line ${line}`,
    got: `a document longer than ${formatBytes(maxRecordBytes)}`,
    expected: "documents that fit in memory",
    fix: 'Cut the text into smaller documents, for instance with { by: "paragraph" } or { by: "line" }.',
  });
}

/** How {@link joinLines} groups lines. */
export interface LineGrouping {
  readonly path: string;
  /** Tells what a line does to the record that is open (or about to be opened). */
  readonly next: (line: Uint8Array, isOpen: boolean) => "continue" | "end" | "skip";
}

/**
 * Joins lines to records that may span several.
 *
 * `next` says of each line whether its record goes on after it, ends with it, or the line belongs to none (which ends an
 * open record before it).
 */
export async function* joinLines(
  lines: AsyncIterable<ByteRecord>,
  { path, next }: LineGrouping,
): AsyncGenerator<ByteRecord> {
  let open: ByteRecord[] = [];
  let size = 0;
  for await (const line of lines) {
    const step = next(line.bytes, open.length > 0);
    if (step === "skip") {
      if (open.length > 0) yield joined(open);
      [open, size] = [[], 0];
      continue;
    }
    open.push(line);
    size += line.bytes.length + 1;
    if (size > maxRecordBytes) throw tooLong(path, open[0]?.line ?? 1);
    if (step === "continue") continue;
    yield joined(open);
    [open, size] = [[], 0];
  }
  if (open.length > 0) yield joined(open);
}

function joined(lines: readonly ByteRecord[]): ByteRecord {
  const [first] = lines;
  if (first === undefined || lines.length === 1) return first ?? { bytes: new Uint8Array(0), offset: 0, line: 1 };
  const last = lines[lines.length - 1] ?? first;
  const bytes = new Uint8Array(last.offset + last.bytes.length - first.offset).fill(lineFeed);
  for (const line of lines) bytes.set(line.bytes, line.offset - first.offset);
  return { bytes, offset: first.offset, line: first.line };
}

function countByte(bytes: Buffer, start: number, end: number): number {
  let count = 0;
  for (let at = bytes.indexOf(lineFeed, start); at >= 0 && at < end; at = bytes.indexOf(lineFeed, at + 1)) count++;
  return count;
}
