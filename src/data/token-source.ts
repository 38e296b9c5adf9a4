/** Token ids in files: arrays of rows, or one long stream that is read in pieces. */
import { stat } from "node:fs/promises";
import {
  DTypeError,
  FormatError,
  formatList,
  InputError,
  ShapeError,
  TokenError,
  throwIfAborted,
} from "../core/index.js";
import { openNpy, openSafetensors, readStoredRows, type StoredTensor } from "../io/index.js";
import type { TokenDocument } from "./document.js";
import { readError } from "./file-source.js";
import { type Entry, locatedOf, type Source } from "./source.js";

/** How a token file is read. */
export interface TokenFileOptions {
  /** The tensor's name in a safetensors file with several. */
  readonly field?: string;
  /** Element type of a `.bin` file; default `"uint16"`. */
  readonly dtype?: "uint16" | "uint32" | "int32";
  /**
   * Tokens of one document of a file that is one long stream; default 1,024. Packing joins the pieces again without a
   * gap.
   */
  readonly pieceLength?: number;
}

interface TokenArray {
  readonly stored: StoredTensor;
  /** Documents in all. */
  readonly count: number;
  /** First axis positions of a document. */
  readonly range: (index: number) => { readonly start: number; readonly end: number };
  readonly place: (index: number) => string;
}

/** Positions read at a time. */
const readAhead = 1 << 16;

/** Returns a source over the rows of a token file, or over the pieces of a stream. */
export function tokenSource(path: string, options: TokenFileOptions): Source<TokenDocument> {
  const { field, dtype = "uint16", pieceLength = 1024 } = options;
  if (!Number.isSafeInteger(pieceLength) || pieceLength < 1) throw badPieceLength(pieceLength);
  const open = async (): Promise<TokenArray> => tokenArray(await openStored(path, field, dtype), pieceLength);
  return {
    description: `token file ${path}${field === undefined ? "" : ` tensor ${field}`}${path.endsWith(".bin") ? ` of ${dtype}` : ""} in pieces of ${pieceLength}`,
    async *stream({ signal }) {
      const array = await open();
      const perRead = documentsPerRead(array);
      for (let first = 0; first < array.count; first += perRead) {
        throwIfAborted(signal, `read ${path}`);
        yield* await readDocuments(array, first, Math.min(array.count, first + perRead));
      }
    },
    async locate() {
      const array = await open();
      return locatedOf(array.count, async (at) => (await readDocuments(array, at, at + 1))[0] as Entry<TokenDocument>);
    },
  };
}

async function openStored(
  path: string,
  field: string | undefined,
  dtype: StoredTensor["dtype"],
): Promise<StoredTensor> {
  if (path.endsWith(".npy")) return openNpy(path);
  if (path.endsWith(".safetensors")) return chooseTensor(path, field);
  const info = await stat(path).catch((error: unknown) => {
    throw readError(error, path);
  });
  const bytes = dtype === "uint16" ? 2 : 4;
  if (info.size % bytes !== 0) throw unevenFile(path, info.size, dtype);
  return { name: "", dtype, shape: [info.size / bytes], path, offset: 0, length: info.size };
}

async function chooseTensor(path: string, field: string | undefined): Promise<StoredTensor> {
  const { tensors } = await openSafetensors(path);
  const names = [...tensors.keys()];
  const name = field ?? (names.length === 1 ? names[0] : tensors.has("tokens") ? "tokens" : undefined);
  const stored = name === undefined ? undefined : tensors.get(name);
  if (stored !== undefined) return stored;
  throw new InputError({
    where: `data.tokens: ${path}`,
    got: field === undefined ? `${names.length} tensors and no choice` : `the name "${field}"`,
    expected: `one of ${formatList(names)}`,
    fix: 'Name the tensor that holds the ids: data.tokens(path, { field: "input_ids" }).',
  });
}

function tokenArray(stored: StoredTensor, pieceLength: number): TokenArray {
  checkIntegers(stored);
  const [size = 0] = stored.shape;
  if (stored.shape.length === 2)
    return {
      stored,
      count: size,
      range: (at) => ({ start: at, end: at + 1 }),
      place: (at) => `${stored.path}: row ${at}`,
    };
  return {
    stored,
    count: Math.ceil(size / pieceLength),
    range: (at) => ({ start: at * pieceLength, end: Math.min(size, (at + 1) * pieceLength) }),
    place: (at) => `${stored.path}: token ${at * pieceLength}`,
  };
}

function documentsPerRead({ stored, range }: TokenArray): number {
  const perPosition = stored.shape.length === 2 ? Math.max(1, stored.shape[1] ?? 1) : 1;
  const first = range(0);
  return Math.max(1, Math.floor(readAhead / (perPosition * Math.max(1, first.end - first.start))));
}

async function readDocuments(array: TokenArray, first: number, end: number): Promise<Entry<TokenDocument>[]> {
  const from = array.range(first).start;
  const { data, shape } = await readStoredRows(array.stored, from, array.range(end - 1).end);
  const width = shape.length === 2 ? (shape[1] ?? 0) : 1;
  return Array.from({ length: end - first }, (_, i) => {
    const index = first + i;
    const range = array.range(index);
    const slice = data.subarray((range.start - from) * width, (range.end - from) * width);
    const tokens = Int32Array.from(slice as ArrayLike<number>, Number);
    checkIds(tokens, array.place(index));
    return { index, place: array.place(index), value: { tokens } };
  });
}

const integerTypes: readonly string[] = ["uint8", "int8", "int16", "uint16", "int32", "uint32", "int64"];

function checkIntegers(stored: StoredTensor): void {
  const { path, dtype, shape } = stored;
  if (!integerTypes.includes(dtype))
    throw new DTypeError({
      where: `data.tokens: ${path}`,
      got: dtype,
      expected: "whole numbers",
      fix: "Save token ids as integers, or choose another tensor with { field }.",
    });
  if ((shape.length === 1 || shape.length === 2) && !shape.includes(0)) return;
  throw new ShapeError({
    where: `data.tokens: ${path}`,
    got: `shape [${shape.join(", ")}]`,
    expected: "[tokens] or [rows, tokens], not empty",
    fix: "Save the ids as one stream or as equal rows; unequal rows go into a JSON list.",
  });
}

function checkIds(tokens: Int32Array, place: string): void {
  const bad = tokens.findIndex((id) => id < 0);
  if (bad < 0) return;
  throw new TokenError({
    where: `${place}, position ${bad}`,
    got: `token id ${tokens[bad]}`,
    expected: "ids of zero or more, below 2^31",
    fix: "Check the element type ({ dtype } for .bin files), and cut padding such as -100 before saving.",
  });
}

function unevenFile(path: string, size: number, dtype: string): FormatError {
  return new FormatError({
    where: path,
    got: `${size} bytes`,
    expected: `a whole number of ${dtype} elements`,
    fix: 'Give the element type, such as data.tokens(path, { dtype: "uint32" }), or get the file again.',
  });
}

function badPieceLength(got: number): InputError {
  return new InputError({
    where: "data.tokens: pieceLength",
    got: String(got),
    expected: "a whole number of tokens, at least 1",
    fix: "Leave it out for pieces of 1,024 tokens.",
  });
}
