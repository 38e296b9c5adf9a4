/** JSON and JSON-lines files, with errors that name the file and the place. */
import { createReadStream } from "node:fs";
import { TextDecoder } from "node:util";
import { FormatError, isLimpidError, throwIfAborted } from "../core/index.js";
import { fileError, readWholeFile } from "./files.js";
import { lineAndColumn, scanJson } from "./json-scan.js";

/** One record of a JSON-lines file. */
export interface JsonLine {
  /** The 1-based number of its line in the file. */
  readonly line: number;
  readonly value: unknown;
}

/**
 * Reads a JSON file in UTF-8, with or without a byte-order mark.
 *
 * @throws FormatError with line and column when it is not JSON; InputError when it cannot be read.
 */
export async function readJson(path: string): Promise<unknown> {
  return parseJson(decodeUtf8(await readWholeFile(path), path), path);
}

/** Reads a JSON file whose top level must be an object. */
export async function readJsonObject(path: string): Promise<Readonly<Record<string, unknown>>> {
  const value = await readJson(path);
  if (isJsonObject(value)) return value;
  throw new FormatError({
    where: path,
    got: Array.isArray(value) ? "a JSON list" : `JSON ${value === null ? "null" : typeof value}`,
    expected: "a JSON object",
    fix: "Check that this is the right file.",
  });
}

/** Parses JSON text; `where` names the file in the error. */
export function parseJson(text: string, where: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw syntaxError(text, where, cause);
  }
}

/**
 * Reads a JSON-lines file record by record in bounded memory; blank lines are skipped.
 *
 * @throws FormatError that names the line; AbortedError between lines once `signal` is aborted.
 */
export async function* readJsonLines(
  path: string,
  options: { readonly signal?: AbortSignal } = {},
): AsyncGenerator<JsonLine> {
  let line = 0;
  for await (const text of readLines(path)) {
    line++;
    throwIfAborted(options.signal, `read ${path}`);
    if (text.trim() === "") continue;
    yield { line, value: parseJson(text, `${path}: line ${line}`) };
  }
}

/** Yields the lines of a UTF-8 text file, without their line ends (`\n` or `\r\n`), in bounded memory. */
export async function* readLines(path: string): AsyncGenerator<string> {
  const decoder = new TextDecoder("utf-8", { fatal: true });
  let rest = "";
  try {
    const chunks: AsyncIterable<Uint8Array> = createReadStream(path, { highWaterMark: 1 << 16 });
    for await (const chunk of chunks) {
      const lines = (rest + decodeChunk(decoder, chunk, path)).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) yield line.endsWith("\r") ? line.slice(0, -1) : line;
    }
  } catch (error) {
    throw isLimpidError(error) ? error : fileError(error, path, "read");
  }
  rest += decodeChunk(decoder, undefined, path);
  if (rest !== "") yield rest;
}

/** Decodes UTF-8 strictly, dropping a byte-order mark. */
export function decodeUtf8(bytes: Uint8Array, where: string): string {
  const decoder = new TextDecoder("utf-8", { fatal: true });
  return decodeChunk(decoder, bytes, where) + decodeChunk(decoder, undefined, where);
}

/** Tells whether a parsed JSON value is an object (not a list, not null). */
export function isJsonObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function decodeChunk(decoder: TextDecoder, chunk: Uint8Array | undefined, where: string): string {
  try {
    return chunk === undefined ? decoder.decode() : decoder.decode(chunk, { stream: true });
  } catch (cause) {
    throw new FormatError(
      { where, got: "bytes that are not UTF-8", expected: "UTF-8 text", fix: "Check that this is a text file." },
      { cause },
    );
  }
}

function syntaxError(text: string, where: string, cause: unknown): FormatError {
  const index = scanJson(text).errorAt ?? text.length;
  const { line, column } = lineAndColumn(text, index);
  const found = index >= text.length ? "the end of the text" : JSON.stringify(text.slice(index, index + 12));
  return new FormatError(
    {
      where,
      got: `${found} at line ${line}, column ${column}`,
      expected: "valid JSON",
      fix: index >= text.length ? "The text is cut short; get the file again." : "Correct the text at that place.",
    },
    { cause },
  );
}
