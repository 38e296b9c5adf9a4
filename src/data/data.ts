/** The entry points of datasets: `data.text`, `data.file`, `data.tokens`, `data.table`, `data.labelled`. */
import { extname } from "node:path";
import { FormatError, InputError } from "../core/index.js";
import { Dataset } from "./dataset.js";
import type { DocumentTokens, LabelledDocument, TextDocument, TokenDocument } from "./document.js";
import { isTokens } from "./document.js";
import { fileSource } from "./file-source.js";
import { jsonSource } from "./json-source.js";
import { describeValue, fieldDocument, type Row } from "./rows.js";
import { memorySource, type Source } from "./source.js";
import {
  csvFormat,
  jsonLinesFormat,
  rowOf,
  type TableFileOptions,
  type TextFileOptions,
  textFormat,
} from "./text-files.js";
import { type TokenFileOptions, tokenSource } from "./token-source.js";

/** A document of a file: a text or token ids, with the row that it came from where there is one. */
export interface FileDocument {
  readonly text?: string;
  readonly tokens?: DocumentTokens;
  readonly row?: Row;
}

/** Options of `data.file`. */
export interface FileOptions extends TextFileOptions, TableFileOptions, Omit<TokenFileOptions, "field"> {}

/** Makers of datasets. Nothing is read before a dataset is used. */
export interface Data {
  /**
   * Returns texts: a list of them, each a document, or a UTF-8 text file.
   *
   * A file is one document unless `by` cuts it at lines, paragraphs or a separator.
   */
  text(source: string | readonly string[], options?: TextFileOptions): Dataset<TextDocument>;
  /**
   * Returns the documents of a file, read by its ending: `.txt`; `.jsonl`, `.json`, `.csv`, `.tsv` with the field that
   * holds the text (default `"text"`); `.npy`, `.safetensors`, `.bin` with token ids.
   *
   * A field may also hold a list of token ids. JSON lists may hold texts or lists of ids without a field.
   */
  file(path: string, field?: string, options?: FileOptions): Dataset<FileDocument>;
  /**
   * Returns token ids: lists of them, each a document, or a file: `.npy` and `.safetensors` (`[rows, tokens]` or one
   * stream), `.json` and `.jsonl` (lists), `.bin` (a stream of 16-bit ids unless `dtype` says otherwise).
   */
  tokens(source: string | readonly DocumentTokens[], options?: TokenFileOptions): Dataset<TokenDocument>;
  /** Returns rows as they are: objects of your own, or those of a `.csv`, `.tsv`, `.jsonl` or `.json` file. */
  table(path: string, options?: TableFileOptions): Dataset<Row>;
  table<R extends object>(rows: readonly R[]): Dataset<R>;
  /** Returns examples with labels, each a text or token ids. */
  labelled<R extends LabelledDocument>(rows: readonly R[]): Dataset<R>;
}

/** Makers of datasets. */
export const data: Data = {
  text: (source, options = {}) =>
    new Dataset(typeof source === "string" ? fileSource(textFormat(source, options)) : textList(source)),
  file: (path, field, options = {}) => new Dataset(openFile(path, field, options)),
  tokens: (source, options = {}) =>
    new Dataset(typeof source === "string" ? openTokens(source, options) : tokenList(source)),
  table: <R extends object>(source: string | readonly R[], options: TableFileOptions = {}): Dataset<R> =>
    // A file's rows are `Row`; the overloads tie R to it.
    new Dataset((typeof source === "string" ? openTable(source, options) : list(source, "data.table")) as Source<R>),
  labelled: (rows) => new Dataset(labelledList(rows)),
};

function list<T>(values: readonly T[], name: string): Source<T> {
  if (values.length > 0)
    return memorySource([...values], `${values.length} documents of ${name}`, (i) => `${name}: document ${i}`);
  throw new InputError({
    where: name,
    got: "an empty list",
    expected: "at least one document",
    fix: "Check where the list came from.",
  });
}

function textList(texts: readonly string[]): Source<TextDocument> {
  const bad = texts.findIndex((text) => typeof text !== "string");
  if (bad >= 0) throw wrongItem("data.text", bad, describeValue(texts[bad]), "a text");
  return list(
    texts.map((text) => ({ text })),
    "data.text",
  );
}

function tokenList(rows: readonly DocumentTokens[]): Source<TokenDocument> {
  const bad = rows.findIndex((row) => !isTokens(row));
  if (bad >= 0)
    throw wrongItem("data.tokens", bad, describeValue(rows[bad]), "a list of token ids (whole numbers, zero or more)");
  return list(
    rows.map((row) => ({ tokens: Int32Array.from(row) })),
    "data.tokens",
  );
}

function labelledList<R extends LabelledDocument>(rows: readonly R[]): Source<R> {
  rows.forEach((row, i) => {
    const hasOne = (typeof row.text === "string") !== isTokens(row.tokens);
    if (!hasOne)
      throw wrongItem("data.labelled", i, "a row with neither or both of text and tokens", "exactly one of them");
    if (typeof row.label !== "string")
      throw wrongItem("data.labelled", i, `the label ${String(row.label)}`, "a label that is a string");
  });
  return list(rows, "data.labelled");
}

type FileKind = "text" | "jsonLines" | "json" | "table" | "tokens";

const fileKinds: ReadonlyMap<string, FileKind> = new Map([
  [".txt", "text"],
  [".md", "text"],
  ["", "text"],
  [".jsonl", "jsonLines"],
  [".ndjson", "jsonLines"],
  [".json", "json"],
  [".csv", "table"],
  [".tsv", "table"],
  [".npy", "tokens"],
  [".safetensors", "tokens"],
  [".bin", "tokens"],
]);

/** Returns what a file's ending says, when it is one of `kinds`. */
function kindOf<K extends FileKind>(path: string, kinds: readonly K[], known: string): K {
  const kind = fileKinds.get(extname(path).toLowerCase());
  const found = kinds.find((one) => one === kind);
  if (found === undefined) throw unknownEnding(path, known);
  return found;
}

function openFile(path: string, field: string | undefined, options: FileOptions): Source<FileDocument> {
  const name = field ?? "text";
  const kinds = ["text", "jsonLines", "json", "table", "tokens"] as const;
  const toDocument = (value: unknown, place: string): FileDocument => itemDocument(value, place, { field, name });
  const openers: { readonly [K in FileKind]: () => Source<FileDocument> } = {
    text: () => {
      if (field !== undefined) throw fieldOfText(path, field);
      return fileSource(textFormat(path, options));
    },
    jsonLines: () => withField(fileSource(jsonLinesFormat(path, toDocument)), name),
    json: () => withField(jsonSource(path, toDocument), name),
    table: () => withField(fileSource(csvFormat(path, options, (row, place) => fieldDocument(row, name, place))), name),
    tokens: () => tokenSource(path, { ...options, ...(field === undefined ? {} : { field }) }),
  };
  return openers[kindOf(path, kinds, ".txt, .jsonl, .json, .csv, .tsv, .npy, .safetensors or .bin")]();
}

function withField(source: Source<FileDocument>, name: string): Source<FileDocument> {
  return { ...source, description: `${source.description}, field "${name}"` };
}

interface FieldChoice {
  readonly field: string | undefined;
  readonly name: string;
}

/** A JSON item is a text, a list of ids, or an object with the field. */
function itemDocument(value: unknown, place: string, { field, name }: FieldChoice): FileDocument {
  if (field === undefined && typeof value === "string") return { text: value };
  if (field === undefined && isTokens(value) && value.length > 0) return { tokens: Int32Array.from(value) };
  return fieldDocument(rowOf(value, place), name, place);
}

function openTokens(path: string, options: TokenFileOptions): Source<TokenDocument> {
  const { field } = options;
  const toTokens = (value: unknown, place: string): TokenDocument => {
    const found = Array.isArray(value) ? value : rowOf(value, place)[field ?? "tokens"];
    if (isTokens(found) && found.length > 0) return { tokens: Int32Array.from(found) };
    throw new FormatError({
      where: place,
      got: describeValue(found),
      expected: "a list of token ids",
      fix: 'Name the field that holds them: data.tokens(path, { field: "input_ids" }).',
    });
  };
  const openers = {
    jsonLines: () => fileSource(jsonLinesFormat(path, toTokens)),
    json: () => jsonSource(path, toTokens),
    tokens: () => tokenSource(path, options),
  };
  return openers[kindOf(path, ["jsonLines", "json", "tokens"], ".npy, .safetensors, .bin, .json or .jsonl")]();
}

function openTable(path: string, options: TableFileOptions): Source<Row> {
  const openers = {
    table: () => fileSource(csvFormat(path, options, (row) => row)),
    jsonLines: () => fileSource(jsonLinesFormat(path, rowOf)),
    json: () => jsonSource(path, rowOf),
  };
  return openers[kindOf(path, ["table", "jsonLines", "json"], ".csv, .tsv, .jsonl or .json")]();
}

function wrongItem(where: string, index: number, got: string, expected: string): InputError {
  return new InputError({ where: `${where}: document ${index}`, got, expected, fix: "Check how the list was made." });
}

function fieldOfText(path: string, field: string): InputError {
  return new InputError({
    where: `data.file: ${path}`,
    got: `the field "${field}" of a plain text file`,
    expected: "no field, since plain text has none",
    fix: "Leave it out, or check the file's ending.",
  });
}

function unknownEnding(path: string, known: string): InputError {
  return new InputError({
    where: `data: ${path}`,
    got: `the ending "${extname(path)}"`,
    expected: known,
    fix: "Rename the file by what it holds, or read it yourself and pass data.text([…]) or data.tokens([…]).",
  });
}
