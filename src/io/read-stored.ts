/** Reads stored tensors into memory: whole, by rows, as float32, or as a stream in bounded memory. */
import { closeSync, openSync, readSync } from "node:fs";
import { InputError, type LongCallOptions, throwIfAborted, UnsupportedError } from "../core/index.js";
import type { Tensor } from "../tensor/index.js";
import { decode, makeTensor, tensorOfBytes, toFloat32 } from "./decode.js";
import { type ReadableFile, withFile } from "./files.js";
import { gather } from "./gather.js";
import {
  bitsOf,
  describeStored,
  isContiguous,
  isMappable,
  readableDType,
  rowMajorStrides,
  type StoredTensor,
  sizeOf,
} from "./stored.js";

/** Options of {@link streamAsFloat32}. */
export interface StreamOptions extends LongCallOptions {
  /** Most elements in one piece; default 4,194,304 (16 MiB of float32). */
  readonly pieceElements?: number;
}

/** Reads a stored tensor into memory; see {@link StoredDType} for the dtypes that widen. */
export async function readStored(stored: StoredTensor): Promise<Tensor> {
  readableDType(stored);
  return withFile(stored.path, async (file) => tensorOfBytes(await readRowMajor(file, stored), stored));
}

/** Reads rows `start` to `end - 1` of the first axis; the rest of the file is not touched. */
export async function readStoredRows(stored: StoredTensor, start: number, end: number): Promise<Tensor> {
  return readStored(rowsOf(stored, start, end));
}

/**
 * Reads one row of a float32 matrix at once, without a promise: for accessors that show a single row.
 *
 * @throws UnsupportedError when the tensor does not lie in its file as float32.
 */
export function readFloat32Row(stored: StoredTensor, row: number): Float32Array {
  if (stored.dtype !== "float32" || !isMappable(stored)) throw notFloat32(stored);
  const { path, offset, length } = rowsOf(stored, row, row + 1);
  const bytes = new Uint8Array(length);
  const file = openSync(path, "r");
  try {
    readSync(file, bytes, 0, length, offset);
  } finally {
    closeSync(file);
  }
  return new Float32Array(bytes.buffer);
}

function notFloat32(stored: StoredTensor): UnsupportedError {
  return new UnsupportedError({
    where: describeStored(stored),
    got: stored.dtype,
    expected: "float32, row after row",
    fix: "Read the tensor with readAsFloat32.",
  });
}

/** Reads a stored tensor as float32: 16-bit floats exactly, other numbers rounded, booleans as 0 and 1. */
export async function readAsFloat32(stored: StoredTensor): Promise<Tensor> {
  return makeTensor(await readFloat32Data(stored), "float32", stored);
}

/**
 * Yields the elements as float32, in row-major order and in pieces, so that a tensor of any size needs little memory.
 *
 * A tensor with `strides` is gathered first and needs memory for the whole of it.
 */
export async function* streamAsFloat32(
  stored: StoredTensor,
  options: StreamOptions = {},
): AsyncGenerator<Float32Array> {
  const { signal, onProgress, pieceElements = 1 << 22 } = options;
  const total = sizeOf(stored.shape);
  const label = `read ${stored.name}`;
  for (let start = 0; start < total; start += pieceElements) {
    throwIfAborted(signal, describeStored(stored));
    const piece = stored.strides === undefined ? flatPiece(stored, start, pieceElements) : stored;
    yield await readFloat32Data(piece);
    if (stored.strides !== undefined) return;
    onProgress?.({ done: Math.min(total, start + pieceElements), total, label });
  }
}

/** Returns rows `start` to `end - 1` of the first axis as a stored tensor of their own; nothing is read. */
export function rowsOf(stored: StoredTensor, start: number, end: number): StoredTensor {
  const [rows, ...rest] = stored.shape;
  if (rows === undefined || !(start >= 0 && start <= end && end <= rows) || !isInteger(start, end)) {
    throw new InputError({
      where: `${describeStored(stored)}: rows`,
      got: `${start} to ${end}`,
      expected: rows === undefined ? "a tensor with at least one axis" : `a range within 0 to ${rows}`,
      fix: "Give start and end of the first axis, end excluded.",
    });
  }
  const shape = [end - start, ...rest];
  const strides = stored.strides ?? rowMajorStrides(stored.shape);
  const offset = stored.offset + (start * (strides[0] ?? 0) * bitsOf(stored.dtype)) / 8;
  return { ...stored, shape, offset, length: spanBytes(shape, strides, bitsOf(stored.dtype)) };
}

/**
 * Returns a stored matrix with its axes swapped, as a stored tensor with strides; nothing is read.
 *
 * Read, streamed or written, it gives the transposed elements: how weights stored `[in, out]` become `[out, in]`.
 */
export function transposeStored(stored: StoredTensor): StoredTensor {
  const [rows, columns, ...more] = stored.shape;
  if (rows === undefined || columns === undefined || more.length > 0) {
    throw new InputError({
      where: `${describeStored(stored)}: transposeStored`,
      got: `shape [${stored.shape.join(", ")}]`,
      expected: "a matrix",
      fix: "Take rows of it first, or transpose the tensor once it is read.",
    });
  }
  const shape = [columns, rows];
  const strides = [...(stored.strides ?? rowMajorStrides(stored.shape))].reverse();
  const { strides: _, axes, ...rest } = stored;
  const swapped = { ...rest, shape, ...(axes === undefined ? {} : { axes: [...axes].reverse() }) };
  return isContiguous(shape, strides) ? swapped : { ...swapped, strides };
}

/** Returns the bytes from the first to the end of the last element of a strided tensor; 0 when it is empty. */
export function spanBytes(shape: readonly number[], strides: readonly number[], bits: number): number {
  if (sizeOf(shape) === 0) return 0;
  const last = shape.reduce((sum, size, axis) => sum + (size - 1) * (strides[axis] ?? 0), 0);
  return ((last + 1) * bits) / 8;
}

async function readFloat32Data(stored: StoredTensor): Promise<Float32Array> {
  const dtype = readableDType(stored);
  return withFile(stored.path, async (file) => {
    return toFloat32(decode(await readRowMajor(file, stored), stored), dtype);
  });
}

async function readRowMajor(file: ReadableFile, stored: StoredTensor): Promise<Uint8Array> {
  const bytes = await file.read(stored.offset, stored.length);
  return stored.strides === undefined ? bytes : gather(bytes, stored, stored.strides);
}

function flatPiece(stored: StoredTensor, start: number, count: number): StoredTensor {
  const { axes: _, ...flat } = { ...stored, shape: [sizeOf(stored.shape)] };
  return rowsOf(flat, start, Math.min(start + count, sizeOf(stored.shape)));
}

function isInteger(...values: readonly number[]): boolean {
  return values.every(Number.isInteger);
}
