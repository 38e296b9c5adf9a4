/** Plain text, JSON lines, comma- and tab-separated values: files that are read record by record. */
import { readFile, stat } from "node:fs/promises";
import { FormatError, formatList, InputError } from "../core/index.js";
import { isJsonObject, parseJson } from "../io/index.js";
import { type ByteRecord, joinLines, maxRecordBytes, splitBytes, tooLong } from "./byte-records.js";
import { type CsvDialect, endsInsideQuotes, parseCsvRecord } from "./csv.js";
import type { TextDocument } from "./document.js";
import type { FileFormat, RecordParser } from "./file-source.js";
import { describeValue, type Row } from "./rows.js";

/** How a text file is cut into documents. */
export interface TextFileOptions {
  /**
   * `"file"` (default): the whole file is one document; `"line"`: every line that is not blank; `"paragraph"`: lines
   * between blank lines; or the text that stands between documents, such as `"<|endoftext|>"`.
   */
  readonly by?: "file" | "line" | "paragraph" | { readonly separator: string };
}

/** How a table file is read. */
export interface TableFileOptions {
  /** Names of the columns of a CSV file that has none in its first line. */
  readonly columns?: readonly string[];
  /** One character; default `,`, or a tab for `.tsv`. */
  readonly delimiter?: string;
  /** Whether CSV fields may be quoted; default true. */
  readonly quotes?: boolean;
}

const newline = Uint8Array.of(0x0a);

/** Returns the format of a plain text file. */
export function textFormat(path: string, { by = "file" }: TextFileOptions): FileFormat<TextDocument> {
  const name = typeof by === "string" ? by : JSON.stringify(by.separator);
  return {
    path,
    description: `text file ${path} by ${name}`,
    hasHeader: false,
    records: ({ signal }) => {
      const options = signal === undefined ? {} : { signal };
      if (typeof by === "object") return notBlank(splitBytes(path, separatorBytes(by.separator, path), options));
      if (by === "file") return wholeFile(path);
      const step = by === "line" ? "end" : "continue";
      return joinLines(splitBytes(path, newline, options), { path, next: (line) => (isBlank(line) ? "skip" : step) });
    },
    parser: () => (text) => ({ text }),
  };
}

async function* wholeFile(path: string): AsyncGenerator<ByteRecord> {
  const { size } = await stat(path);
  if (size > maxRecordBytes) throw tooLong(path, 1);
  if (size > 0) yield { bytes: await readFile(path), offset: 0, line: 1 };
}

async function* notBlank<R extends { readonly bytes: Uint8Array }>(records: AsyncIterable<R>): AsyncGenerator<R> {
  for await (const record of records) if (!isBlank(record.bytes)) yield record;
}

function isBlank(bytes: Uint8Array): boolean {
  return bytes.every((byte) => byte === 0x20 || (byte >= 0x09 && byte <= 0x0d));
}

function separatorBytes(separator: string, path: string): Uint8Array {
  if (separator !== "") return new TextEncoder().encode(separator);
  throw new InputError({
    where: `data.text: ${path}: separator`,
    got: "an empty text",
    expected: "the text that stands between documents",
    fix: 'Pass { by: "line" }, { by: "paragraph" } or a separator such as "<|endoftext|>".',
  });
}

/** Returns the format of a JSON-lines file whose records become `T`. */
export function jsonLinesFormat<T>(path: string, toDocument: (value: unknown, place: string) => T): FileFormat<T> {
  return {
    path,
    description: `JSON-lines file ${path}`,
    hasHeader: false,
    records: ({ signal }) => notBlank(splitBytes(path, newline, signal === undefined ? {} : { signal })),
    parser: () => (text, place) => toDocument(parseJson(text, place), place),
  };
}

/** Returns the format of a CSV or TSV file whose rows become `T`. */
export function csvFormat<T>(
  path: string,
  options: TableFileOptions,
  toDocument: (row: Row, place: string) => T,
): FileFormat<T> {
  const dialect = dialectOf(path, options);
  const { columns } = options;
  return {
    path,
    description: `table file ${path} with delimiter ${JSON.stringify(dialect.delimiter)}${columns === undefined ? "" : ` and columns ${columns.join(", ")}`}`,
    hasHeader: columns === undefined,
    records: ({ signal }) => csvRecords(path, dialect, signal === undefined ? {} : { signal }),
    parser: (header, place) => rowParser(header, { columns, dialect, place }, toDocument),
  };
}

function csvRecords(
  path: string,
  dialect: CsvDialect,
  options: { readonly signal?: AbortSignal },
): ReturnType<typeof joinLines> {
  const next = (line: Uint8Array, isOpen: boolean): "continue" | "end" | "skip" => {
    if (!isOpen && isBlank(line) && !line.includes(dialect.delimiter.charCodeAt(0))) return "skip";
    return endsInsideQuotes(line, isOpen, dialect) ? "continue" : "end";
  };
  return joinLines(splitBytes(path, newline, options), { path, next });
}

function dialectOf(path: string, options: TableFileOptions): CsvDialect {
  const { delimiter = /\.tsv$/i.test(path) ? "\t" : ",", quotes = true } = options;
  if (delimiter.length === 1 && delimiter.charCodeAt(0) < 128 && !'"\r\n'.includes(delimiter))
    return { delimiter, quotes };
  throw new InputError({
    where: `${path}: delimiter`,
    got: JSON.stringify(delimiter),
    expected: "one ASCII character that is neither a quote nor a line end",
    fix: 'Pass { delimiter: ";" }, for instance.',
  });
}

interface TableShape {
  readonly columns: readonly string[] | undefined;
  readonly dialect: CsvDialect;
  readonly place: string;
}

function rowParser<T>(
  header: string | undefined,
  { columns, dialect, place }: TableShape,
  toDocument: (row: Row, place: string) => T,
): RecordParser<T> {
  const names = columns ?? parseCsvRecord(header ?? "", dialect, place);
  const repeated = names.filter((name, i) => names.indexOf(name) !== i);
  if (repeated.length > 0) throw repeatedColumns(repeated, place);
  return (text, where) => {
    const fields = parseCsvRecord(text, dialect, where);
    if (fields.length !== names.length) throw wrongCount(fields.length, names, where);
    return toDocument(Object.fromEntries(names.map((name, i) => [name, fields[i] ?? ""])), where);
  };
}

function wrongCount(count: number, names: readonly string[], where: string): FormatError {
  return new FormatError({
    where,
    got: `${count} fields`,
    expected: `${names.length}, one for each of ${formatList(names)}`,
    fix: "Quote fields that hold the delimiter or line ends, or give the right { delimiter }.",
  });
}

function repeatedColumns(names: readonly string[], where: string): FormatError {
  return new FormatError({
    where,
    got: `the column ${formatList(names)} twice`,
    expected: "different column names",
    fix: "Rename one of them in the file.",
  });
}

/** Returns a row, or throws when a JSON record is not an object. */
export function rowOf(value: unknown, place: string): Row {
  if (isJsonObject(value)) return value;
  throw new FormatError({
    where: place,
    got: describeValue(value),
    expected: "an object with named fields",
    fix: 'Write each row as a JSON object, such as {"text": "…"}.',
  });
}
