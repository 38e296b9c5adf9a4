/** Brings the elements of a strided tensor into row-major order. */
import { allocateBytes } from "./files.js";
import { bitsOf, describeStored, type StoredTensor, sizeOf } from "./stored.js";

/** Side of the square that is copied at once, so that a transposed matrix stays in the processor's cache. */
const tile = 32;

/** Returns the row-major bytes of a tensor from its span in the file; `strides` count elements. */
export function gather(bytes: Uint8Array, stored: StoredTensor, strides: readonly number[]): Uint8Array {
  const width = bitsOf(stored.dtype) / 8;
  const out = allocateBytes(sizeOf(stored.shape) * width, describeStored(stored));
  const copy = { shape: stored.shape, strides };
  if (width === 8)
    gatherWords({ ...copy, source: new BigUint64Array(aligned(bytes, 8)), target: new BigUint64Array(out.buffer) });
  else if (width === 4)
    gatherWords({ ...copy, source: new Uint32Array(aligned(bytes, 4)), target: new Uint32Array(out.buffer) });
  else if (width === 2)
    gatherWords({ ...copy, source: new Uint16Array(aligned(bytes, 2)), target: new Uint16Array(out.buffer) });
  else gatherWords({ ...copy, source: bytes, target: out });
  return out;
}

/** A typed array whose elements are moved and not looked at. */
interface Words<T> {
  readonly length: number;
  [index: number]: T;
}

interface Gathering<T> {
  readonly source: Words<T>;
  readonly target: Words<T>;
  readonly shape: readonly number[];
  readonly strides: readonly number[];
}

/** The matrix of the last two axes. */
interface Plane {
  readonly rows: number;
  readonly columns: number;
  readonly rowStride: number;
  readonly columnStride: number;
}

/** Where a plane or a part of one starts. */
interface Place {
  readonly from: number;
  readonly to: number;
}

function gatherWords<T>(gathering: Gathering<T>): void {
  const { shape, strides, target } = gathering;
  const [rows = 1, columns = 1] = shape.length > 1 ? shape.slice(-2) : [1, ...shape];
  const [rowStride = 0, columnStride = 0] = strides.length > 1 ? strides.slice(-2) : [0, ...strides];
  const plane = { rows, columns, rowStride, columnStride };
  const outer = shape.slice(0, -2);
  const index = new Array<number>(outer.length).fill(0);
  let from = 0;
  for (let to = 0; to < target.length; to += rows * columns) {
    copyPlane(gathering, plane, { from, to });
    from += step(index, outer, strides);
  }
}

function copyPlane<T>(gathering: Gathering<T>, plane: Plane, { from, to }: Place): void {
  const { rows, columns, rowStride, columnStride } = plane;
  for (let row = 0; row < rows; row += tile) {
    for (let column = 0; column < columns; column += tile) {
      const part = { ...plane, rows: Math.min(tile, rows - row), columns: Math.min(tile, columns - column) };
      const place = { from: from + row * rowStride + column * columnStride, to: to + row * columns + column };
      copyTile(gathering, part, place, columns);
    }
  }
}

function copyTile<T>({ source, target }: Gathering<T>, part: Plane, { from, to }: Place, targetStride: number): void {
  for (let row = 0; row < part.rows; row++) {
    let at = from + row * part.rowStride;
    const start = to + row * targetStride;
    for (let column = 0; column < part.columns; column++) {
      target[start + column] = source[at] as T;
      at += part.columnStride;
    }
  }
}

/** Moves a row-major index to the next element and returns how far that moves in memory. */
function step(index: number[], shape: readonly number[], strides: readonly number[]): number {
  let moved = 0;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    const [at, size, stride] = [index[axis] ?? 0, shape[axis] ?? 0, strides[axis] ?? 0];
    if (at + 1 < size) {
      index[axis] = at + 1;
      return moved + stride;
    }
    index[axis] = 0;
    moved -= at * stride;
  }
  return moved;
}

/** The memory of whole elements; copied when it does not start at one. */
function aligned(bytes: Uint8Array, width: number): ArrayBufferLike {
  const isWhole =
    bytes.byteOffset === 0 && bytes.byteLength === bytes.buffer.byteLength && bytes.byteLength % width === 0;
  return isWhole ? bytes.buffer : bytes.slice().buffer;
}
