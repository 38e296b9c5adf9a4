/**
 * Numpy's .npy files: one array, opened in place or read and written.
 *
 * Format: https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
 */
import { FormatError, UnsupportedError } from "../core/index.js";
import type { Tensor } from "../tensor/index.js";
import { withAtomicFile } from "./atomic.js";
import { tensorOfBytes } from "./decode.js";
import { type ReadableFile, withFile } from "./files.js";
import { gather } from "./gather.js";
import { decodeUtf8 } from "./json.js";
import { latin1Text } from "./latin1.js";
import { numpyOfDType, storedDTypeOfNumpy } from "./numpy-dtypes.js";
import { readStored } from "./read-stored.js";
import { bitsOf, describeStored, isContiguous, type StoredTensor, sizeOf } from "./stored.js";

const magic = [0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59];
const preambleBytes = 12;
/** Numpy itself refuses longer headers. */
const maxHeaderBytes = 10_000_000;

/** Where an array lies after its header. */
interface NpyLayout {
  readonly dtype: StoredTensor["dtype"];
  readonly shape: readonly number[];
  readonly isFortran: boolean;
}

/**
 * Opens a .npy file without reading its elements; a Fortran-ordered array gets `strides`.
 *
 * @throws FormatError when the file is damaged; UnsupportedError for objects, text, structures and big-endian data.
 */
export async function openNpy(path: string): Promise<StoredTensor> {
  return withFile(path, (file) => openNpyAt(file, { name: "", offset: 0, length: file.size }));
}

/** Opens a .npy file that lies inside another file. */
export async function openNpyAt(
  file: ReadableFile,
  place: { readonly name: string; readonly offset: number; readonly length: number },
): Promise<StoredTensor> {
  const where = place.name === "" ? file.path : describeStored({ path: file.path, name: place.name });
  const start = await file.read(place.offset, Math.min(preambleBytes, place.length));
  const header = headerPlace(start, where);
  const headerEnd = header.offset + header.length;
  const text = await file.read(
    place.offset + header.offset,
    Math.max(0, Math.min(headerEnd, place.length) - header.offset),
  );
  const layout = parseHeader(text, header, where);
  const stored = storedOf(layout, { path: file.path, name: place.name, offset: place.offset + headerEnd });
  checkLength(stored, place.length - headerEnd, where);
  return stored;
}

/** Reads a .npy file; `int8`, `int16` and `uint16` widen to int32, `uint32` to int64. */
export async function loadNpy(path: string): Promise<Tensor> {
  return readStored(await openNpy(path));
}

/** Reads an array from the bytes of a .npy file; `where` names it in errors. */
export function parseNpy(bytes: Uint8Array, where: string): Tensor {
  const header = headerPlace(bytes, where);
  const text = bytes.subarray(header.offset, header.offset + header.length);
  const stored = storedOf(parseHeader(text, header, where), { path: where, name: "", offset: 0 });
  const data = bytes.subarray(header.offset + header.length);
  checkLength(stored, data.length, where);
  return tensorOfBytes(stored.strides === undefined ? data.slice() : gather(data, stored, stored.strides), stored);
}

/** Writes a tensor as a .npy file of version 1.0; axis names are not kept. */
export async function writeNpy(path: string, tensor: Tensor): Promise<void> {
  const header = encodeNpyHeader(tensor, path);
  await withAtomicFile(path, async (file) => {
    await file.write(header);
    await file.write(rawBytes(tensor));
  });
}

/** Returns the bytes of a .npy file. */
export function encodeNpy(tensor: Tensor, where: string): Uint8Array {
  const header = encodeNpyHeader(tensor, where);
  const data = rawBytes(tensor);
  const bytes = new Uint8Array(header.length + data.length);
  bytes.set(header);
  bytes.set(data, header.length);
  return bytes;
}

/** Returns the strides, in elements, of a Fortran-ordered array. */
export function fortranStrides(shape: readonly number[]): readonly number[] {
  return shape.map((_, axis) => sizeOf(shape.slice(0, axis)));
}

function encodeNpyHeader(tensor: Tensor, where: string): Uint8Array {
  const { shape } = tensor;
  const tuple = shape.length === 1 ? `(${shape[0]},)` : `(${shape.join(", ")})`;
  const dict = `{'descr': '${numpyOfDType(tensor.dtype, where)}', 'fortran_order': False, 'shape': ${tuple}, }`;
  const prefix = magic.length + 4;
  const total = Math.ceil((prefix + dict.length + 1) / 64) * 64;
  const bytes = new Uint8Array(total).fill(0x20);
  bytes.set([...magic, 1, 0]);
  new DataView(bytes.buffer).setUint16(8, total - prefix, true);
  bytes.set(new TextEncoder().encode(dict), prefix);
  bytes[total - 1] = 0x0a;
  return bytes;
}

interface HeaderPlace {
  readonly version: number;
  readonly offset: number;
  readonly length: number;
}

function headerPlace(bytes: Uint8Array, where: string): HeaderPlace {
  if (bytes.length < 10 || magic.some((byte, i) => bytes[i] !== byte)) {
    throw broken(where, "bytes that do not start with the .npy signature");
  }
  const version = bytes[6] ?? 0;
  if (version < 1 || version > 3) {
    const fix = "Save it with a current numpy.";
    throw new UnsupportedError({ where, got: `.npy version ${version}`, expected: "version 1, 2 or 3", fix });
  }
  if (version > 1 && bytes.length < preambleBytes) throw broken(where, "a header that is cut short");
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const length = version === 1 ? view.getUint16(8, true) : view.getUint32(8, true);
  if (length > maxHeaderBytes) throw broken(where, `a header of ${length} bytes`);
  return { version, offset: version === 1 ? 10 : 12, length };
}

function parseHeader(bytes: Uint8Array, place: HeaderPlace, where: string): NpyLayout {
  if (bytes.length < place.length) throw broken(where, "a header that is cut short");
  const text = place.version === 3 ? decodeUtf8(bytes, where) : latin1Text(bytes);
  const keys = ["descr", "fortran_order", "shape"];
  const found = [...text.matchAll(/'(\w+)':/g)].map((match) => match[1]).sort();
  const descr = /'descr': *'([^']*)'/.exec(text)?.[1];
  const order = /'fortran_order': *(True|False)/.exec(text)?.[1];
  const shape = /'shape': *\(([\dL, ]*)\)/.exec(text)?.[1];
  if (/'descr': *\[/.test(text))
    return { dtype: storedDTypeOfNumpy("a structure", where), shape: [], isFortran: false };
  if (keys.join() !== found.join() || descr === undefined || order === undefined || shape === undefined) {
    throw broken(where, `the header ${JSON.stringify(text.trim().slice(0, 80))}`);
  }
  const sizes = shape
    .split(",")
    .map((size) => size.trim())
    .filter((size, i, all) => size !== "" || i < all.length - 1)
    .map((size) => (/^\d+L?$/.test(size) ? Number.parseInt(size, 10) : NaN));
  if (!sizes.every(Number.isSafeInteger)) throw broken(where, `the shape (${shape})`);
  return { dtype: storedDTypeOfNumpy(descr, where), shape: sizes, isFortran: order === "True" };
}

function storedOf(layout: NpyLayout, place: Pick<StoredTensor, "path" | "name" | "offset">): StoredTensor {
  const { dtype, shape } = layout;
  const stored = { ...place, dtype, shape, length: (sizeOf(shape) * bitsOf(dtype)) / 8 };
  const strides = fortranStrides(shape);
  return layout.isFortran && !isContiguous(shape, strides) ? { ...stored, strides } : stored;
}

function checkLength(stored: StoredTensor, available: number, where: string): void {
  if (stored.length === available) return;
  const got = `${available} bytes of elements`;
  throw broken(where, got, `${stored.length} bytes for ${stored.dtype} [${stored.shape.join(", ")}]`);
}

function rawBytes(tensor: Tensor): Uint8Array {
  return new Uint8Array(tensor.data.buffer, tensor.data.byteOffset, tensor.data.byteLength);
}

function broken(where: string, got: string, expected: string = "a whole .npy file"): FormatError {
  return new FormatError({ where, got, expected, fix: "The file is truncated or damaged; get it again." });
}
