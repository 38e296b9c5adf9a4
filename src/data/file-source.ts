/** A source over the records of a file: read in order, or through an index of byte offsets. */
import { type FileHandle, open, stat } from "node:fs/promises";
import { TextDecoder } from "node:util";
import { FormatError, InputError, isLimpidError, type LongCallOptions } from "../core/index.js";
import type { ByteRecord } from "./byte-records.js";
import { type Entry, type Located, NumberList, type Source } from "./source.js";

/** Turns the text of a record into a document; `place` names it in errors. */
export type RecordParser<T> = (text: string, place: string) => T;

/** How a kind of file is cut and read. */
export interface FileFormat<T> {
  readonly path: string;
  readonly description: string;
  /** Whether the first record names the columns. */
  readonly hasHeader: boolean;
  /** Yields the records of the file; blank ones that mean nothing are left out. */
  records(options: LongCallOptions): AsyncIterable<ByteRecord>;
  /** Returns the parser, given the text of the header record where there is one. */
  parser(header: string | undefined, place: string): RecordParser<T>;
}

interface FileIndex {
  readonly offsets: NumberList;
  readonly lengths: NumberList;
  readonly lines: NumberList;
  readonly header: ByteRecord | undefined;
  readonly stamp: string;
}

/** Returns the source of a file; the index is made once, when first needed. */
export function fileSource<T>(format: FileFormat<T>): Source<T> {
  let index: Promise<FileIndex> | undefined;
  return {
    description: format.description,
    stream: (options) => streamFile(format, options),
    async locate(options) {
      index ??= buildIndex(format, options);
      try {
        return await openIndexed(format, await index);
      } catch (error) {
        index = undefined;
        throw error;
      }
    },
  };
}

async function* streamFile<T>(format: FileFormat<T>, options: LongCallOptions): AsyncGenerator<Entry<T>> {
  let parse = format.hasHeader ? undefined : format.parser(undefined, format.path);
  let index = 0;
  for await (const record of readRecords(format, options)) {
    const { text, place } = decoded(record, format.path);
    if (parse === undefined) parse = format.parser(text, place);
    else yield { index: index++, place, value: parse(text, place) };
  }
  if (index === 0) throw noDocuments(format.path);
}

async function* readRecords<T>(format: FileFormat<T>, options: LongCallOptions): AsyncGenerator<ByteRecord> {
  try {
    yield* format.records(options);
  } catch (error) {
    throw readError(error, format.path);
  }
}

async function buildIndex<T>(format: FileFormat<T>, options: LongCallOptions): Promise<FileIndex> {
  const stamp = await fileStamp(format.path);
  const [offsets, lengths, lines] = [new NumberList(), new NumberList(), new NumberList()];
  let header: ByteRecord | undefined;
  for await (const record of readRecords(format, options)) {
    if (format.hasHeader && header === undefined) {
      header = record;
      continue;
    }
    offsets.push(record.offset);
    lengths.push(record.bytes.length);
    lines.push(record.line);
  }
  if (offsets.length === 0) throw noDocuments(format.path);
  return { offsets, lengths, lines, header, stamp };
}

async function openIndexed<T>(format: FileFormat<T>, index: FileIndex): Promise<Located<T>> {
  const { path } = format;
  if ((await fileStamp(path)) !== index.stamp) throw changed(path);
  const header = index.header && decoded(index.header, path);
  const parse = format.parser(header?.text, header?.place ?? path);
  const handle = await open(path, "r").catch((error: unknown) => {
    throw readError(error, path);
  });
  return {
    length: index.offsets.length,
    async read(at) {
      const [offset, length, line] = [index.offsets.at(at), index.lengths.at(at), index.lines.at(at)];
      const { text, place } = decoded({ bytes: await readAt(handle, path, { offset, length }), offset, line }, path);
      return { index: at, place, value: parse(text, place) };
    },
    close: () => handle.close(),
  };
}

async function readAt(
  handle: FileHandle,
  path: string,
  { offset, length }: { readonly offset: number; readonly length: number },
): Promise<Uint8Array> {
  const bytes = new Uint8Array(length);
  let done = 0;
  while (done < length) {
    const { bytesRead } = await handle.read(bytes, done, length - done, offset + done);
    if (bytesRead === 0) throw changed(path);
    done += bytesRead;
  }
  return bytes;
}

/** Decodes a record strictly; the byte-order mark of the file's start and a carriage return at the end are left out. */
function decoded(record: ByteRecord, path: string): { readonly text: string; readonly place: string } {
  const place = `${path}: line ${record.line}`;
  try {
    const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: record.offset !== 0 }).decode(record.bytes);
    return { text: text.endsWith("\r") ? text.slice(0, -1) : text, place };
  } catch (cause) {
    const parts = { where: place, got: "bytes that are not UTF-8", expected: "UTF-8 text" };
    throw new FormatError({ ...parts, fix: "Check that this is a text file, or convert it to UTF-8." }, { cause });
  }
}

/** Tells one state of a file from another by size and time. */
async function fileStamp(path: string): Promise<string> {
  const info = await stat(path).catch((error: unknown) => {
    throw readError(error, path);
  });
  return `${info.size} bytes at ${info.mtimeMs}`;
}

/** Turns an error of the file system into one that names the path. */
export function readError(error: unknown, path: string): unknown {
  if (isLimpidError(error) || !(error instanceof Error) || !("code" in error)) return error;
  const isPath = error.code === "ENOENT";
  return new InputError(
    {
      where: `read ${path}`,
      got: `${String(error.code)} from the file system`,
      expected: isPath ? "an existing file" : "a file that this process can read",
      fix: isPath
        ? 'Check the path; texts themselves go in a list: data.text(["…"]).'
        : "Check the path and its permissions.",
    },
    { cause: error },
  );
}

function changed(path: string): FormatError {
  return new FormatError({
    where: path,
    got: "a file that changed since its index was made",
    expected: "the same file for the whole run",
    fix: "Make the dataset again after the file is complete.",
  });
}

function noDocuments(path: string): FormatError {
  return new FormatError({
    where: path,
    got: "no documents",
    expected: "at least one",
    fix: "Check that this is the right file and that it is not empty.",
  });
}
