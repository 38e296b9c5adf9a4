/**
 * The header of a safetensors file: read with every check of the reference implementation, and written.
 *
 * Layout: an unsigned 64-bit little-endian header length, a JSON header padded with spaces, then the tensors without gaps.
 * Format: https://huggingface.co/docs/safetensors
 */
import { FormatError, formatList } from "../core/index.js";
import { decodeUtf8, isJsonObject, parseJson } from "./json.js";
import { scanJson } from "./json-scan.js";
import { bitsOf, describeStored, type StoredDType, type StoredTensor, sizeOf } from "./stored.js";

/** Bytes of the length field. */
export const lengthFieldBytes = 8;

/** The longest header that the reference implementation accepts, in bytes. */
export const maxHeaderBytes = 100_000_000;

/** The key of `__metadata__` under which limpid keeps axis names: JSON of `{ tensorName: axisNames }`. */
export const axesKey = "limpid.axes";

/** What a header says. */
export interface SafetensorsHeader {
  /** Tensors in the order of their bytes. */
  readonly tensors: ReadonlyMap<string, StoredTensor>;
  /** `__metadata__`, the axis names of {@link axesKey} included. */
  readonly metadata: Readonly<Record<string, string>>;
}

/** A tensor to be written: what its header entry says. */
export interface TensorPlan {
  readonly name: string;
  readonly dtype: StoredDType;
  readonly shape: readonly number[];
  readonly axes?: readonly string[];
}

const dtypeOfCode: ReadonlyMap<string, StoredDType> = new Map([
  ["F64", "float64"],
  ["F32", "float32"],
  ["F16", "float16"],
  ["BF16", "bfloat16"],
  ["I64", "int64"],
  ["I32", "int32"],
  ["I16", "int16"],
  ["I8", "int8"],
  ["U8", "uint8"],
  ["BOOL", "bool"],
  ["U16", "uint16"],
  ["U32", "uint32"],
  ["U64", "uint64"],
  ["C64", "complex64"],
  ["F8_E4M3", "float8_e4m3"],
  ["F8_E5M2", "float8_e5m2"],
  ["F8_E8M0", "float8_e8m0"],
  ["F6_E2M3", "float6_e2m3"],
  ["F6_E3M2", "float6_e3m2"],
  ["F4", "float4"],
]);

const codeOfDType: ReadonlyMap<StoredDType, string> = new Map([...dtypeOfCode].map(([code, dtype]) => [dtype, code]));

/** Reads the header's length field and checks it against the file's size. */
export function readHeaderLength(field: Uint8Array, fileBytes: number, path: string): number {
  const fix = "This is not a safetensors file, or it is truncated; get it again.";
  if (field.length < lengthFieldBytes) {
    throw new FormatError({ where: path, got: `${fileBytes} bytes`, expected: "at least 8 bytes", fix });
  }
  const length = new DataView(field.buffer, field.byteOffset).getBigUint64(0, true);
  if (length > BigInt(maxHeaderBytes)) {
    const expected = `at most ${maxHeaderBytes}`;
    throw new FormatError({ where: `${path}: header length`, got: `${length} bytes`, expected, fix });
  }
  const rest = fileBytes - lengthFieldBytes;
  if (Number(length) > rest) {
    const expected = `at most the ${rest} bytes that follow in the file`;
    throw new FormatError({ where: `${path}: header length`, got: `${length} bytes`, expected, fix });
  }
  return Number(length);
}

/**
 * Parses and checks a header.
 *
 * @param header - the JSON bytes after the length field.
 * @param fileBytes - the size of the whole file.
 * @throws FormatError naming the file and the tensor for anything that the format forbids.
 */
export function parseHeader(header: Uint8Array, fileBytes: number, path: string): SafetensorsHeader {
  const where = `${path}: header`;
  if (header[0] !== 0x7b) throw notAnObject(where, "a first byte that is not {");
  const text = decodeUtf8(header, where);
  const json = parseJson(text, where);
  if (!isJsonObject(json)) throw notAnObject(where, "other JSON");
  refuseDuplicates(text, path);
  const dataStart = lengthFieldBytes + header.length;
  const metadata = readMetadata(json["__metadata__"], path);
  const axes = readAxes(metadata, path);
  const tensors = Object.entries(json)
    .filter(([name]) => name !== "__metadata__")
    .map(([name, entry]) => withAxes(readEntry({ path, name }, entry, dataStart), axes.get(name)));
  tensors.sort((a, b) => a.offset - b.offset || a.length - b.length);
  checkCoverage(tensors, { path, dataStart, fileBytes });
  return { tensors: new Map(tensors.map((tensor) => [tensor.name, tensor])), metadata };
}

/** Returns the length field and the padded header for tensors in the given order, and each tensor's place in the file. */
export function encodeHeader(
  plan: readonly TensorPlan[],
  metadata: Readonly<Record<string, string>>,
): { readonly bytes: Uint8Array; readonly dataBytes: number } {
  const entries: [string, unknown][] = [];
  const allMetadata = metadataWithAxes(plan, metadata);
  if (Object.keys(allMetadata).length > 0) entries.push(["__metadata__", allMetadata]);
  let offset = 0;
  for (const { name, dtype, shape } of plan) {
    const end = offset + byteLengthOf(dtype, shape);
    entries.push([name, { dtype: codeOfDType.get(dtype), shape, data_offsets: [offset, end] }]);
    offset = end;
  }
  return { bytes: frameHeader(Object.fromEntries(entries)), dataBytes: offset };
}

/** Returns the bytes that a tensor takes in a file. */
export function byteLengthOf(dtype: StoredDType, shape: readonly number[]): number {
  return (sizeOf(shape) * bitsOf(dtype)) / 8;
}

function frameHeader(json: unknown): Uint8Array {
  const text = new TextEncoder().encode(JSON.stringify(json));
  const padded = Math.ceil(text.length / 8) * 8;
  const bytes = new Uint8Array(lengthFieldBytes + padded).fill(0x20);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(padded), true);
  bytes.set(text, lengthFieldBytes);
  return bytes;
}

function metadataWithAxes(
  plan: readonly TensorPlan[],
  metadata: Readonly<Record<string, string>>,
): Readonly<Record<string, string>> {
  const named = plan.filter((tensor) => tensor.axes !== undefined).map(({ name, axes }) => [name, axes] as const);
  const entries = Object.entries(metadata).filter(([key]) => key !== axesKey);
  if (named.length > 0) entries.push([axesKey, JSON.stringify(Object.fromEntries(named))]);
  return Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)));
}

function readMetadata(value: unknown, path: string): Readonly<Record<string, string>> {
  if (value === undefined) return {};
  const where = `${path}: __metadata__`;
  const expected = "an object of strings";
  const fix = "Write every metadata value as a string.";
  if (!isJsonObject(value)) throw new FormatError({ where, got: describe(value), expected, fix });
  const entries = Object.entries(value).map(([key, item]): [string, string] => {
    if (typeof item === "string") return [key, item];
    throw new FormatError({ where: `${where}.${key}`, got: describe(item), expected: "a string", fix });
  });
  return Object.fromEntries(entries);
}

function readAxes(metadata: Readonly<Record<string, string>>, path: string): ReadonlyMap<string, unknown> {
  const text = metadata[axesKey];
  if (text === undefined) return new Map();
  const where = `${path}: __metadata__["${axesKey}"]`;
  const json = parseJson(text, where);
  if (isJsonObject(json)) return new Map(Object.entries(json));
  const expected = "an object of lists of axis names";
  throw new FormatError({ where, got: describe(json), expected, fix: "Remove the key or write the file again." });
}

function withAxes(tensor: StoredTensor, axes: unknown): StoredTensor {
  if (axes === undefined) return tensor;
  if (isNameList(axes) && axes.length === tensor.shape.length && new Set(axes).size === axes.length) {
    return { ...tensor, axes };
  }
  throw new FormatError({
    where: `${describeStored(tensor)}: __metadata__["${axesKey}"]`,
    got: describe(axes),
    expected: `${tensor.shape.length} different axis names`,
    fix: "Remove the key or write the file again.",
  });
}

function readEntry(place: { path: string; name: string }, entry: unknown, dataStart: number): StoredTensor {
  const where = describeStored(place);
  if (!isJsonObject(entry)) throw badField(where, describe(entry), "an object with dtype, shape and data_offsets");
  const dtype = readDType(where, entry["dtype"]);
  const shape = entry["shape"];
  if (!isSizeList(shape)) throw badField(`${where}: shape`, describe(shape), "a list of sizes that are 0 or more");
  const [start, end] = readOffsets(where, entry["data_offsets"]);
  const length = byteLengthOf(dtype, shape);
  if (length !== end - start) {
    const got = `data_offsets [${start}, ${end}], which is ${end - start} bytes`;
    throw badField(where, got, `${length} bytes for ${dtype} [${shape.join(", ")}]`);
  }
  return { name: place.name, dtype, shape, path: place.path, offset: dataStart + start, length };
}

function readDType(where: string, code: unknown): StoredDType {
  const dtype = typeof code === "string" ? dtypeOfCode.get(code) : undefined;
  if (dtype !== undefined) return dtype;
  throw badField(`${where}: dtype`, describe(code), `one of ${[...dtypeOfCode.keys()].join(", ")}`);
}

function readOffsets(where: string, value: unknown): readonly [number, number] {
  if (isSizeList(value) && value.length === 2) {
    const [start = 0, end = 0] = value;
    if (start <= end) return [start, end];
  }
  throw badField(`${where}: data_offsets`, describe(value), "[start, end] with 0 <= start <= end");
}

function checkCoverage(
  sorted: readonly StoredTensor[],
  file: { readonly path: string; readonly dataStart: number; readonly fileBytes: number },
): void {
  let end = file.dataStart;
  let previous: StoredTensor | undefined;
  for (const tensor of sorted) {
    if (tensor.offset !== end) throw misplaced(tensor, previous, { end, dataStart: file.dataStart });
    end = tensor.offset + tensor.length;
    previous = tensor;
  }
  if (end === file.fileBytes) return;
  const isShort = file.fileBytes < end;
  throw new FormatError({
    where: isShort && previous !== undefined ? describeStored(previous) : file.path,
    got: `a file of ${file.fileBytes} bytes`,
    expected: `${end} bytes (header and tensors)`,
    fix: isShort ? "The file is truncated; download or copy it again." : "Something was appended; get the file again.",
  });
}

function misplaced(
  tensor: StoredTensor,
  previous: StoredTensor | undefined,
  at: { readonly end: number; readonly dataStart: number },
): FormatError {
  const overlaps = tensor.offset < at.end;
  const after = previous === undefined ? "the header" : `tensor ${JSON.stringify(previous.name)}`;
  return badField(
    describeStored(tensor),
    `data that starts at byte ${tensor.offset - at.dataStart}, ${overlaps ? "overlapping" : "leaving a gap after"} ${after}`,
    `it to start at byte ${at.end - at.dataStart}`,
  );
}

function refuseDuplicates(text: string, path: string): void {
  const { duplicate } = scanJson(text);
  if (duplicate === undefined) return;
  throw badField(`${path}: header`, `the key ${formatList([duplicate.key])} twice`, "every key once");
}

function badField(where: string, got: string, expected: string): FormatError {
  return new FormatError({
    where,
    got,
    expected,
    fix: "The header is damaged or was written wrongly; get the file again.",
  });
}

function notAnObject(where: string, got: string): FormatError {
  const fix = "This is not a safetensors file, or it is damaged.";
  return new FormatError({ where, got, expected: "a JSON object", fix });
}

function describe(value: unknown): string {
  if (value === undefined) return "nothing";
  const text = JSON.stringify(value);
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
}

function isNameList(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((item) => typeof item === "string" && item !== "");
}

function isSizeList(value: unknown): value is readonly number[] {
  return Array.isArray(value) && value.every((item) => Number.isSafeInteger(item) && item >= 0 && !Object.is(item, -0));
}
